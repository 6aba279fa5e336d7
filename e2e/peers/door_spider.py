"""Spider's two programs, publisher and subscriber, as its description prints them, on the packages it names (rtcbot, aiortc, aiohttp).
The camera is a painted one, and the programs are driven by one JSON object per line: {id, verb, args} in, {id, ok | error} out."""

import asyncio
import ssl
import time

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer
from rtcbot import RTCConnection

from verbs import serve

LOG_MAX = 2000
COLUMNS, ROWS, MARK_ROWS = 16, 9, 3


def now() -> float:
    return time.time() * 1000


def push(log: list, entry) -> None:
    log.append(entry)
    if len(log) > LOG_MAX:
        log.pop(0)


def paint(width: int, height: int, number: int, mark_id: int) -> np.ndarray:
    y = ((np.arange(width)[None, :] + number * 3 + (np.arange(height)[:, None] >> 4) * 11) % 256 * 0.6 + 40).astype(np.uint8)
    high, low = mark_id >> 16, mark_id & 0xFFFF
    for r, row in enumerate((high, low, ~(high ^ low) & 0xFFFF)):
        for c in range(COLUMNS):
            bit = row >> (15 - c) & 1
            y[r * height // ROWS : (r + 1) * height // ROWS, c * width // COLUMNS : (c + 1) * width // COLUMNS] = 255 if bit else 0
    return np.repeat(y[:, :, None], 3, axis=2)


def read_mark(y: np.ndarray) -> int:
    height, width = y.shape
    rows = []
    for r in range(MARK_ROWS):
        row = 0
        for c in range(COLUMNS):
            top, left = int((r + 0.35) * height / ROWS), int((c + 0.35) * width / COLUMNS)
            bottom, right = int((r + 0.65) * height / ROWS) + 1, int((c + 0.65) * width / COLUMNS) + 1
            row = row * 2 + int(y[top:bottom, left:right].mean() > 128)
        rows.append(row)
    return rows[0] * 65536 + rows[1] if (~(rows[0] ^ rows[1]) & 0xFFFF) == rows[2] else -1


class PaintedCamera:
    """What rtcbot takes for a camera: something with `get`, which waits for the next BGR picture."""

    def __init__(self, sender: int, width: int, height: int, fps: int) -> None:
        self.sender, self.width, self.height, self.fps = sender, width, height, fps
        self.number, self.start, self.sent = 0, None, []

    async def get(self) -> np.ndarray:
        self.start = self.start or time.monotonic()
        await asyncio.sleep(max(0, self.start + self.number / self.fps - time.monotonic()))
        mark_id = ((self.sender & 0xFFFF) << 16) + (self.number & 0xFFFF)
        picture = paint(self.width, self.height, self.number, mark_id)
        self.number += 1
        push(self.sent, {"id": mark_id, "t": now(), "w": self.width})
        return picture


def unified(sdp: str) -> str:
    """The publisher's `sdpUpdate`: one ufrag and one password for all sections."""
    lines = sdp.split("\r\n")
    for prefix in ("a=ice-ufrag:", "a=ice-pwd:"):
        first = next(line for line in lines if line.startswith(prefix))
        lines = [first if line.startswith(prefix) else line for line in lines]
    return "\r\n".join(lines)


# As printed. Nobody answers there: gathering takes five seconds then, and goes on without.
SERVERS = [
    RTCIceServer(urls="stun:127.0.0.1:3478"),
    RTCIceServer(urls="turn:127.0.0.1:3478?transport=udp", username="teamgrit", credential="teamgrit8266"),
    RTCIceServer(urls="turn:127.0.0.1:3478?transport=tcp", username="teamgrit", credential="teamgrit8266"),
]


class Program:
    def __init__(self) -> None:
        self.words, self.data, self.frames_seen, self.channels = [], [], [], {}
        self.camera = None
        self.closed = False

    async def connect(self, url: str, role: str, channel: str, query: str = "", camera: dict | None = None, video: bool = False, servers: bool = False):
        self.peer = RTCConnection(rtcConfiguration=RTCConfiguration(iceServers=SERVERS if servers else []))
        if camera:
            self.camera = PaintedCamera(**camera)
            self.peer.video.putSubscription(self.camera)
        if video:
            self.peer.video.subscribe(lambda picture: push(self.frames_seen, {"id": read_mark(picture[:, :, 1]), "t": now(), "w": picture.shape[1]}))
        for label in ("metric", "stream"):
            self.channels[label] = self.peer.addDataChannel(label)
            self.channels[label].subscribe(lambda message, label=label: push(self.data, {"label": label, "message": message}))
        sdp = (await self.peer.getLocalDescription())["sdp"]
        if role == "pub":
            sdp = unified(sdp)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        start = time.monotonic()
        answered = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(self.speak(f"{url}/live/ws/{role}?channel={channel}{query}", context, sdp, answered))
        if role == "pub":
            await asyncio.wait_for(answered, 20)
        return {"ms": (time.monotonic() - start) * 1000}

    async def speak(self, url, context, sdp, answered) -> None:
        try:
            async with aiohttp.ClientSession() as session:
                async with session.ws_connect(url=url, ssl_context=context) as ws:
                    self.ws = ws
                    await ws.send_json({"type": "offer", "data": sdp})
                    async for message in ws:
                        if message.type == aiohttp.WSMsgType.TEXT:
                            kind = message.json()["type"]
                            push(self.words, {"type": kind, "data": message.json().get("data"), "t": now()})
                            if kind == "answer":
                                await self.peer.setRemoteDescription({"type": "answer", "sdp": message.json()["data"]})
                            if kind in ("answer", "error") and not answered.done():
                                answered.set_result(kind)
                            if message.data == "close":
                                await ws.close()
                                break
        except Exception as error:
            push(self.words, {"type": "exception", "data": repr(error), "t": now()})
        finally:
            self.closed = True
            if not answered.done():
                answered.set_result("closed")

    async def heard(self):
        return {"words": self.words, "closed": self.closed}

    async def put(self, label: str, message):
        self.channels[label].put_nowait(message)

    async def received(self):
        return self.data

    async def frames(self, identity=None, since=0):
        return [frame for frame in self.frames_seen if frame["t"] >= since]

    async def sent(self, since=0):
        return [frame for frame in self.camera.sent if frame["t"] >= since]

    async def leave(self):
        if not self.closed:
            await self.ws.close()
        await self.peer.close()


serve(Program, {"connect", "heard", "put", "received", "frames", "sent", "leave"})
