"""Which of the servers that a program is told of are of use where it is. aiortc takes the first STUN server and the first relay, and when that one
does not answer, none: so all are asked at once, and it is told of the cheapest that answers."""

import asyncio
import time

from aioice.turn import create_turn_endpoint
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

# So long those before it are waited for when a relay has answered, and all of them when none has.
PATIENCE_S = 0.3
LIMIT_S = 3.0


class Asked(asyncio.DatagramProtocol):
    pass


def read(url: str):
    try:
        return parse_stun_turn_uri(url)
    except ValueError:
        # One that aiortc would refuse, with everything else: addresses in brackets.
        return None


async def answers(way, server) -> bool:
    """Something would be relayed: tried, and given back."""
    try:
        transport, _ = await create_turn_endpoint(
            Asked,
            server_addr=(way["host"], way["port"]),
            username=server["username"],
            password=server["credential"],
            ssl=way["scheme"] == "turns" or None,
            transport=way["transport"],
        )
    except Exception:
        return False
    transport.close()
    return True


async def first(asked) -> int | None:
    """The place of the first that says yes, of tasks in the order of preference."""
    began, met = time.monotonic(), None
    while True:
        good = [place for place, task in enumerate(asked) if task.done() and task.result()]
        met = met or (time.monotonic() if good else None)
        waiting = [task for task in asked[: good[0] if good else None] if not task.done()]
        end = met + PATIENCE_S if met else began + LIMIT_S
        if not waiting or time.monotonic() >= end:
            return good[0] if good else None
        await asyncio.wait(waiting if good else [task for task in asked if not task.done()], timeout=end - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)


async def of_use(servers) -> list[RTCIceServer]:
    told = [(url, read(url), server) for server in servers for url in server["urls"]]
    relays = [(url, way, server) for url, way, server in told if way and way["scheme"] in ("turn", "turns")]
    asked = [asyncio.create_task(answers(way, server)) for _, way, server in relays]
    place = await first(asked) if asked else None
    for task in asked:
        task.cancel()
    if place is None:
        return [RTCIceServer(urls=url) for url, way, _ in told if way and way["scheme"] == "stun"]
    url, chosen, server = relays[place]
    # Where the relay over UDP does not answer, nothing over UDP does.
    stun = [RTCIceServer(urls=url) for url, way, _ in told if way and way["scheme"] == "stun"] if chosen["transport"] == "udp" else []
    return [*stun, RTCIceServer(urls=url, username=server["username"], credential=server["credential"])]
