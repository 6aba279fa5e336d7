"""WHIP and WHEP on aiortc and aiohttp: one offer by POST, one answer, DELETE at the end. The camera is a painted one, and the program is driven by one
JSON object per line: {id, verb, args} in, {id, ok | error} out."""

import asyncio
from urllib.parse import urljoin

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from painted import Camera, now, push, read_mark
from verbs import serve


class Program:
    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.camera, self.seen, self.url = None, [], None

    async def exchange(self, url: str, token: str) -> dict:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session:
            async with session.post(url, data=self.pc.localDescription.sdp, headers=headers) as response:
                told = {"status": response.status, "etag": response.headers.get("ETag"), "text": await response.text()}
                if response.status == 201:
                    self.url = urljoin(url, response.headers["Location"])
                    await self.pc.setRemoteDescription(RTCSessionDescription(told["text"], "answer"))
                return told

    async def publish(self, url: str, token: str, camera: dict) -> dict:
        self.camera = Camera(**camera)
        self.pc.addTransceiver(self.camera, direction="sendonly")
        return await self.exchange(url, token)

    async def watch(self, url: str, token: str) -> dict:
        self.pc.addTransceiver("audio", direction="recvonly")
        self.pc.addTransceiver("video", direction="recvonly")

        @self.pc.on("track")
        def on_track(track) -> None:
            if track.kind == "video":
                self.task = asyncio.ensure_future(self.read(track))

        return await self.exchange(url, token)

    async def read(self, track) -> None:
        while True:
            picture = (await track.recv()).to_ndarray(format="gray")
            push(self.seen, {"id": read_mark(picture), "t": now(), "w": picture.shape[1]})

    async def sent(self) -> list:
        return self.camera.sent

    async def frames(self) -> list:
        return self.seen

    async def end(self) -> int:
        async with aiohttp.ClientSession() as session:
            async with session.delete(self.url) as response:
                status = response.status
        await self.pc.close()
        return status


serve(Program, {"publish", "watch", "sent", "frames", "end"})
