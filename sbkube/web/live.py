"""Server-sent events: the page is told that something has moved, and asks for itself again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

EVERY = 1.0  # seconds between two looks
ALIVE = 15  # looks without news after which a line is sent all the same
LOOKS = 600  # then the browser connects anew
LISTENERS = 50


async def news(pulse: Callable[[], str], *, every: float = EVERY, looks: int = LOOKS) -> AsyncIterator[str]:
    """`moved` whenever `pulse` gives another text than before; comments in between keep the connection."""
    last = await to_thread.run_sync(pulse)
    yield "retry: 3000\n\n"
    for number in range(looks):
        await anyio.sleep(every)
        now = await to_thread.run_sync(pulse)
        if now != last:
            last = now
            yield "event: moved\ndata: \n\n"
        elif number % ALIVE == ALIVE - 1:
            yield ": still here\n\n"


async def live(request: Request) -> Response:
    """The stream about one deployment (`id`), or about all."""
    state = request.app.state
    name = request.query_params.get("id", "")
    if state.listeners >= LISTENERS:
        return PlainTextResponse("too many pages are open\n", 503)

    async def stream() -> AsyncIterator[str]:
        state.listeners += 1
        try:
            async for part in news(lambda: str(state.browser.pulse(name))):
                yield part
        finally:
            state.listeners -= 1

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
