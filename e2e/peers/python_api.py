"""RoomService through the Python server SDK (protobuf), driven by verbs.py."""

import asyncio
import sys

from google.protobuf.json_format import MessageToDict, ParseDict
from livekit import api

from verbs import calls, respond

REQUESTS = {
    "create_room": api.CreateRoomRequest,
    "list_rooms": api.ListRoomsRequest,
    "delete_room": api.DeleteRoomRequest,
    "list_participants": api.ListParticipantsRequest,
    "get_participant": api.RoomParticipantIdentity,
    "remove_participant": api.RoomParticipantIdentity,
    "mute_published_track": api.MuteRoomTrackRequest,
    "send_data": api.SendDataRequest,
}


async def main() -> None:
    client = api.LiveKitAPI(*sys.argv[1:4])

    async def work(verb, args):
        try:
            result = await getattr(client.room, verb)(ParseDict(args, REQUESTS[verb]()))
        except api.TwirpError as error:
            return {"code": error.code, "status": error.status}
        return {"result": MessageToDict(result) if result is not None else {}}

    async for call in calls():
        await respond(call, work)
    await client.aclose()


asyncio.run(main())
