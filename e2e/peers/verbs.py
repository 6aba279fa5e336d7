"""How the tests drive a Python program: one call per line of standard input, `{"id", "verb", "args"}`, one answer per line of standard output,
`{"id", "ok"}` or `{"id", "error"}`. The first line out says that it is ready."""

import asyncio
import json
import sys
import traceback


def answer(value) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def calls():
    """What is asked, until nobody asks any more."""
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    answer({"ready": True})
    while line := await reader.readline():
        yield json.loads(line)


async def respond(call, work) -> None:
    """Answers one call with what `work(verb, args)` comes to."""
    try:
        answer({"id": call["id"], "ok": await work(call["verb"], call.get("args") or {})})
    except Exception:
        answer({"id": call["id"], "error": traceback.format_exc()})


def serve(make, verbs) -> None:
    """Each of `verbs` is a coroutine of the program that `make` makes. Calls do not wait for each other."""

    async def main() -> None:
        program = make()

        async def work(verb, args):
            if verb not in verbs:
                raise ValueError(f"no verb {verb}")
            return await getattr(program, verb)(**args)

        running = set()
        async for call in calls():
            task = asyncio.ensure_future(respond(call, work))
            running.add(task)
            task.add_done_callback(running.discard)

    asyncio.run(main())
