"""Server-sent events: the page is told that something has moved, and asks for itself again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

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
    state.listeners += 1  # at once: those who come in the same moment count, too
    return _Counted(news(lambda: str(state.browser.pulse(name))), state)


class _Counted(StreamingResponse):
    """A stream that counts as a listener until it has been sent, or could not be."""

    def __init__(self, content: AsyncIterator[str], state: State) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._state.listeners -= 1
