"""The application, and the server that runs it."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sbkube.api import Actions, Browser
from sbkube.errors import SbkubeError, UsageError
from sbkube.web import actions as acting
from sbkube.web import pages
from sbkube.web.door import Door
from sbkube.web.gate import Gate
from sbkube.web.live import live


def application(
    browser: Browser, door: Door, announce: Callable[[bool], None], actions: Actions | None = None
) -> Starlette:
    """The whole page; `announce` is called when a one-time token, to act or (False) to read, was used, to tell the
    next one. Without `actions` there is nothing but reading."""
    app = Starlette(
        routes=[*_reading(), *(_acting() if actions else ())],
        middleware=[Middleware(Gate, door=door, login=pages.ask_to_sign_in, failed=pages.failed)],
        exception_handlers={SbkubeError: pages.failed, 404: pages.missing},
    )
    app.state.browser, app.state.door, app.state.announce = browser, door, announce
    app.state.listeners, app.state.actions = 0, actions
    return app


def _reading() -> list[BaseRoute]:
    return [
        Route("/", pages.overview),
        Route("/deployment", pages.deployment),
        Route("/objects", pages.objects),
        Route("/compare", pages.compare),
        Route("/object", pages.one_object),
        Route("/live", live),
        Route("/login", pages.login),
        Route("/logout", acting.posted(pages.logout, acting=False), methods=["POST"]),
        Route("/healthz", pages.health),
        Route("/metrics", pages.metrics),
        Mount("/static", StaticFiles(directory=pages.STATIC)),
    ]


def _acting() -> list[BaseRoute]:
    return [
        Route("/project", acting.project),
        Route("/plan", acting.planned),
        Route("/plan", acting.posted(acting.plan), methods=["POST"]),
        Route("/execute", acting.posted(acting.execute), methods=["POST"]),
        Route("/look", acting.posted(acting.look), methods=["POST"]),
    ]


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises UsageError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        own = socket.create_server((host, port), family=family)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; asyncio forgets it for such sockets
        return own
    except OSError as error:
        hint = "choose another one with --port, or 0 for any free one"
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint) from error


def listen_unix(path: str) -> socket.socket:
    """A Unix socket for its owner alone; one that was left behind is replaced. Raises UsageError."""
    file = Path(path)
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(file.stat().st_mode):
                file.unlink()
        before = os.umask(0o177)
        try:
            own.bind(path)
        finally:
            os.umask(before)
        own.listen(128)
    except OSError as error:
        own.close()
        raise UsageError(f"cannot listen on {path}: {error.strerror}", hint="choose another path") from error
    return own


def run(app: Starlette, sockets: Sequence[socket.socket]) -> None:
    """Tell the first addresses, and serve until Ctrl-C or SIGTERM. Addresses of clients are those of connections,
    never of a header."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    with _ended_by_signals(server):
        app.state.announce(False)
        if app.state.door.acting:
            app.state.announce(True)
        server.run(sockets=list(sockets))


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Signals end the server, also before it runs; when it has ended it raises them again, which means nothing."""

    def end(*_: object) -> None:
        server.should_exit = True

    known = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    before = {number: signal.signal(number, end) for number in known if number}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
