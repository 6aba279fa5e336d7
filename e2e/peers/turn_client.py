"""Two peers on aiortc in one process that may use nothing but relayed addresses, each with credentials of its own. Driven by verbs.py."""

import asyncio

from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from verbs import serve


def relayed_only(server) -> RTCPeerConnection:
    relay = next(url for url in server["urls"] if url.startswith("turn"))
    ice = RTCIceServer(urls=relay, username=server["username"], credential=server["credential"])
    return RTCPeerConnection(RTCConfiguration(iceServers=[ice], iceTransportPolicy=RTCIceTransportPolicy.RELAY))


def candidates(description) -> list:
    return [line.split()[7] for line in description.sdp.splitlines() if line.startswith("a=candidate:")]


class Pair:
    async def meet(self, one, other, messages, seconds):
        """How many of the messages that one side sends come back from the other."""
        caller, callee = relayed_only(one), relayed_only(other)
        echoed, done = [], asyncio.Event()
        channel = caller.createDataChannel("echo")

        @channel.on("open")
        def opened():
            for number in range(messages):
                channel.send(f"{number} " + "x" * 500)

        @channel.on("message")
        def came_back(text):
            echoed.append(text)
            if len(echoed) == messages:
                done.set()

        @callee.on("datachannel")
        def met(theirs):
            theirs.on("message", theirs.send)

        try:
            await caller.setLocalDescription(await caller.createOffer())
            await callee.setRemoteDescription(caller.localDescription)
            await callee.setLocalDescription(await callee.createAnswer())
            await caller.setRemoteDescription(callee.localDescription)
            try:
                await asyncio.wait_for(done.wait(), seconds)
            except TimeoutError:
                pass
            types = candidates(caller.localDescription) + candidates(callee.localDescription)
            return {"echoed": len(echoed), "types": sorted(set(types)), "state": caller.iceConnectionState}
        finally:
            await caller.close()
            await callee.close()


serve(Pair, {"meet"})
