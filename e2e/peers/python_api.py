"""RoomService through the Python server SDK (protobuf), driven by one JSON object per line: {id, verb, args} in, {id, ok | error} out."""

import asyncio
import json
import sys
import traceback

from google.protobuf.json_format import MessageToDict, ParseDict
from livekit import api

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
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def answer(value) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    client = api.LiveKitAPI(*sys.argv[1:4])
    answer({"ready": True})
    while line := await reader.readline():
        call = json.loads(line)
        try:
            request = ParseDict(call["args"], REQUESTS[call["verb"]]())
            result = await getattr(client.room, call["verb"])(request)
            answer({"id": call["id"], "ok": {"result": MessageToDict(result) if result is not None else {}}})
        except api.TwirpError as error:
            answer({"id": call["id"], "ok": {"code": error.code, "status": error.status}})
        except Exception:
            answer({"id": call["id"], "error": traceback.format_exc()})
    await client.aclose()


asyncio.run(main())
