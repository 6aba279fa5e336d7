"""A peer of the Socket.IO signalling server on python-socketio and aiortc: the events and the data channel of the seed's Python client.
Driven by verbs.py."""

import traceback

import socketio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from verbs import serve


class Peer:
    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.events, self.texts, self.errors = [], [], []
        self.pc = None
        self.socket.on("*", self.heard)
        self.socket.on("disconnect", lambda *_: self.events.append({"name": "disconnect", "payload": None}))
        self.socket.on("connect_error", lambda payload: self.events.append({"name": "connect_error", "payload": payload}))

    async def heard(self, name, payload) -> None:
        self.events.append({"name": name, "payload": payload})
        inner = payload.get("payload") if isinstance(payload, dict) else None
        if isinstance(inner, dict) and inner.get("action") == "sdp" and inner["sdp"]["type"] == "offer":
            try:
                await self.answer(payload["from"], inner["sdp"])
            except Exception:
                self.errors.append(traceback.format_exc())

    async def answer(self, to, offer) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.pc.createDataChannel(f"{self.peer_id}Channel", negotiated=True, id=0)
        self.channel.on("message", self.said)
        await self.pc.setRemoteDescription(RTCSessionDescription(**offer))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        local = self.pc.localDescription
        payload = {"action": "sdp", "sdp": {"type": local.type, "sdp": local.sdp}}
        await self.socket.emit("messageOne", {"from": self.peer_id, "target": to, "payload": payload})

    def said(self, text) -> None:
        self.texts.append(text)
        self.channel.send(f"{self.peer_id} got {text}")

    async def connect(self, url, token, peerId, peerType=None):
        self.peer_id = peerId
        try:
            await self.socket.connect(url, auth={"token": token})
        except socketio.exceptions.ConnectionError as error:
            return {"error": str(error)}
        await self.socket.emit("ready", (peerId, peerType, False))
        return {"socketId": self.socket.get_sid()}

    async def emit(self, event, payload):
        await self.socket.emit(event, payload)

    async def received(self):
        return {"events": self.events, "texts": self.texts, "errors": self.errors}

    async def leave(self):
        await self.socket.disconnect()
        if self.pc:
            await self.pc.close()


serve(Peer, {"connect", "emit", "received", "leave"})
