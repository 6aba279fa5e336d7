"""A peer among those of the Socket.IO signalling server on python-socketio and aiortc, by the rules of the server's Python example: newcomers offer,
descriptions hold all candidates, those of others are not understood, and a data channel with the number 0 is known to both sides.
Driven by verbs.py."""

import asyncio
import time
import traceback

import socketio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from painted import Camera, read_mark
from relays import of_use
from verbs import serve

FRAMES_MAX = 2000


class Mesh:
    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.ways = None
        self.order = asyncio.Lock()
        self.peers, self.texts, self.seen, self.errors, self.misunderstood = {}, [], [], [], 0

    async def heard(self, message) -> None:
        # One after the other: an offer waits for the connection that it belongs to.
        async with self.order:
            await self.understood(message)

    async def understood(self, message) -> None:
        sender, payload = message["from"], message["payload"]
        try:
            match payload["action"]:
                case "open":
                    for connection in payload["connections"]:
                        await self.add(connection["peerId"], payload["bePolite"])
                case "close":
                    await self.peers.pop(sender)["pc"].close()
                case "sdp":
                    await self.described(sender, payload["sdp"])
                case "ice":
                    self.misunderstood += 1
        except Exception:
            self.errors.append(traceback.format_exc())

    async def told(self, ways) -> None:
        self.ways = asyncio.ensure_future(of_use(ways["iceServers"]))

    async def add(self, name: str, polite: bool) -> None:
        if name in self.peers:
            return
        pc = RTCPeerConnection(RTCConfiguration(iceServers=await self.ways if self.ways else []))
        channel = pc.createDataChannel(f"{name}Channel", negotiated=True, id=0)
        self.peers[name] = {"pc": pc, "channel": channel, "polite": polite}
        channel.on("open", lambda: channel.send(f"Hello from {self.name}"))
        channel.on("message", lambda text: self.texts.append({"from": name, "data": text}))
        pc.on("track", lambda track: asyncio.ensure_future(self.watch(name, track)))
        if self.camera:
            pc.addTrack(Camera(**self.camera))
        if not polite:
            await pc.setLocalDescription(await pc.createOffer())
            await self.describe(name, pc)

    async def describe(self, name: str, pc: RTCPeerConnection) -> None:
        local = pc.localDescription
        payload = {"action": "sdp", "sdp": {"sdp": local.sdp, "type": local.type}}
        await self.socket.emit("messageOne", {"from": self.name, "target": name, "payload": payload}, namespace=self.namespace)

    async def described(self, name: str, sdp) -> None:
        pc = self.peers[name]["pc"]
        if sdp["type"] == "offer" and pc.signalingState != "stable" and not self.peers[name]["polite"]:
            return
        await pc.setRemoteDescription(RTCSessionDescription(sdp["sdp"], sdp["type"]))
        if sdp["type"] == "offer":
            await pc.setLocalDescription(await pc.createAnswer())
            await self.describe(name, pc)

    async def watch(self, name: str, track) -> None:
        if track.kind != "video":
            return
        try:
            while len(self.seen) < FRAMES_MAX:
                frame = await track.recv()
                self.seen.append({"from": name, "id": read_mark(frame.to_ndarray(format="gray")), "t": time.time() * 1000})
        except MediaStreamError:
            pass

    async def connect(self, url, token, peerId, camera=None, namespace="/", **auth):
        self.name, self.camera, self.namespace = peerId, camera, namespace
        self.socket.on("message", self.heard, namespace=namespace)
        self.socket.on("ice", self.told, namespace=namespace)
        await self.socket.connect(url, auth={"token": token, **auth}, namespaces=[namespace])
        await self.socket.emit("ready", (peerId, "vehicle", False), namespace=namespace)

    async def say(self, to, text):
        self.peers[to]["channel"].send(text)

    async def received(self):
        return {"texts": self.texts, "errors": self.errors, "channels": {name: peer["channel"].readyState for name, peer in self.peers.items()}}

    async def path(self, name):
        """The pair of candidates in use. aiortc has no statistics of it."""
        connection = self.peers[name]["pc"].sctp.transport.transport._connection
        pair = connection._nominated.get(1)
        if pair is None:
            return None
        via = {"protocol": connection.turn_transport, "tls": connection.turn_ssl} if pair.local_candidate.type == "relay" else None
        return {"local": pair.local_candidate.type, "remote": pair.remote_candidate.type, "relay": via}

    async def frames(self):
        return self.seen

    async def leave(self):
        await self.socket.disconnect()
        for peer in self.peers.values():
            await peer["pc"].close()


serve(Mesh, {"connect", "say", "received", "frames", "path", "leave"})
