"""A participant on the Python SDK, driven by verbs.py."""

import asyncio
import time
from collections import defaultdict

import numpy as np
from livekit import rtc

from verbs import serve

RATE_HZ = 48000
HEARD_SAMPLES_MAX = RATE_HZ * 3
LOG_MAX = 2000
COLUMNS, ROWS, MARK_ROWS = 16, 9, 3


def now() -> float:
    return time.time() * 1000


def push(log: list, entry: dict) -> None:
    log.append(entry)
    if len(log) > LOG_MAX:
        log.pop(0)


def mark(sender: int, frame: int) -> int:
    return ((sender & 0xFFFF) << 16) + (frame & 0xFFFF)


def paint(width: int, height: int, number: int, mark_id: int) -> bytes:
    y = ((np.arange(width)[None, :] + number * 3 + (np.arange(height)[:, None] >> 4) * 11) % 256 * 0.6 + 40).astype(np.uint8)
    chroma = np.full((2, height // 2, width // 2), 128, np.uint8)
    chroma[:, height // 6 :, :] = 110
    high, low = mark_id >> 16, mark_id & 0xFFFF
    for r, row in enumerate((high, low, ~(high ^ low) & 0xFFFF)):
        for c in range(COLUMNS):
            bit = row >> (15 - c) & 1
            y[r * height // ROWS : (r + 1) * height // ROWS, c * width // COLUMNS : (c + 1) * width // COLUMNS] = 0xEB if bit else 0x10
    return y.tobytes() + chroma.tobytes()


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


def level_db(samples: np.ndarray, frequency: float) -> float:
    n = len(samples)
    spin = np.exp(-2j * np.pi * frequency / RATE_HZ * np.arange(n))
    return float(20 * np.log10(4 * abs(np.sum(samples * np.hanning(n) * spin)) / n + 1e-9))


class Peer:
    def __init__(self) -> None:
        self.room = rtc.Room()
        self.frames_of = defaultdict(list)
        self.heard = defaultdict(lambda: np.zeros(0, np.float32))
        self.sent_frames = []
        self.received_log = {"data": [], "texts": [], "events": []}
        self.tasks = set()
        self.has_audio = set()

    def start(self, work) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def listen(self) -> None:
        @self.room.on("track_subscribed")
        def _(track, publication, participant):
            video = track.kind == rtc.TrackKind.KIND_VIDEO
            self.start((self.read_video if video else self.read_audio)(track, participant.identity))

        @self.room.on("data_received")
        def _(packet):
            self.received_log["data"].append(
                {
                    "text": bytes(packet.data).decode(),
                    "from": packet.participant.identity if packet.participant else "",
                    "reliable": packet.kind == rtc.DataPacketKind.KIND_RELIABLE,
                    "topic": packet.topic or "",
                }
            )

        names = {"disconnected": "disconnected", "reconnecting": "reconnecting", "reconnected": "reconnected", "participant_connected": "participantConnected", "participant_disconnected": "participantDisconnected", "local_track_republished": "localTrackRepublished"}
        for name, shown in names.items():
            self.room.on(name, lambda *details, shown=shown: push(self.received_log["events"], {"t": now(), "event": shown, "details": [str(getattr(d, "identity", d)) for d in details]}))

        def on_text(reader, identity):
            async def read():
                self.received_log["texts"].append({"from": identity, "text": await reader.read_all()})

            self.start(read())

        self.room.register_text_stream_handler("e2e", on_text)

    async def read_video(self, track, identity):
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
            frame = event.frame
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height).reshape(frame.height, frame.width)
            push(self.frames_of[identity], {"id": read_mark(luma), "t": now(), "w": frame.width})

    async def read_audio(self, track, identity):
        self.has_audio.add(identity)
        async for event in rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1):
            samples = np.frombuffer(event.frame.data, np.int16).astype(np.float32) / 32768
            self.heard[identity] = np.concatenate((self.heard[identity], samples))[-HEARD_SAMPLES_MAX:]

    async def connect(self, url, token, single):
        self.listen()
        start = time.monotonic()
        await self.room.connect(url, token, rtc.RoomOptions(single_peer_connection=single))
        me = self.room.local_participant

        async def length(data):
            return f"{me.identity} got {len(data.payload)} from {data.caller_identity}"

        async def echo(data):
            return data.payload

        me.register_rpc_method("length", length)
        me.register_rpc_method("echo", echo)
        return {"ms": (time.monotonic() - start) * 1000}

    async def publishMicrophone(self, frequencyHz):
        source = rtc.AudioSource(RATE_HZ, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        await self.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE))

        async def play():
            at, size = 0, RATE_HZ // 50
            while True:
                n = np.arange(at, at + size)
                period = n % (RATE_HZ // 2)
                on = RATE_HZ * 0.3
                ramp = np.clip(np.minimum(period / 480, (on - period) / 480), 0, 1)
                data = (0.5 * ramp * np.sin(2 * np.pi * frequencyHz * n / RATE_HZ) * 32767).astype(np.int16)
                await source.capture_frame(rtc.AudioFrame(data.tobytes(), RATE_HZ, 1, size))
                at += size

        self.start(play())

    async def publishCamera(self, sender, width, height, fps, simulcast=True):
        source = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        await self.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=simulcast))

        async def play():
            number, start = 0, time.monotonic()
            while True:
                mark_id = mark(sender, number)
                data = paint(width, height, number, mark_id)
                push(self.sent_frames, {"id": mark_id, "t": now(), "w": width})
                source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, data))
                number += 1
                await asyncio.sleep(max(0, start + number / fps - time.monotonic()))

        self.start(play())

    async def frames(self, identity, since=0):
        return [frame for frame in self.frames_of[identity] if frame["t"] >= since]

    async def sent(self, since=0):
        return [frame for frame in self.sent_frames if frame["t"] >= since]

    async def hear(self, identity, frequencies, ms):
        if identity not in self.has_audio:
            return None
        self.heard[identity] = np.zeros(0, np.float32)
        await asyncio.sleep(ms / 1000)
        samples = self.heard[identity]
        blocks = [samples[at : at + 4096] for at in range(0, len(samples) - 4095, 2048)]
        return {str(f): max([level_db(block, f) for block in blocks], default=-180) for f in frequencies}

    async def sendData(self, text, reliable, to=None):
        await self.room.local_participant.publish_data(text, reliable=reliable, topic="e2e", destination_identities=[to] if to else [])

    async def sendText(self, text):
        await self.room.local_participant.send_text(text, topic="e2e")

    async def rpc(self, to, method, payload):
        return await self.room.local_participant.perform_rpc(destination_identity=to, method=method, payload=payload)

    async def simulate(self, scenario):
        await self.room.simulate_scenario(scenario)

    async def received(self):
        return self.received_log

    async def participants(self):
        return [participant.identity for participant in self.room.remote_participants.values()]

    async def leave(self):
        for task in list(self.tasks):
            task.cancel()
        await self.room.disconnect()


serve(Peer, {"connect", "publishMicrophone", "publishCamera", "frames", "sent", "hear", "sendData", "sendText", "rpc", "simulate", "received", "participants", "leave"})
