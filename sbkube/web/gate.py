"""What stands before every page: the name of the server, who asks, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sbkube.web.door import Door

OPEN = ("/healthz", "/login")
_SAFE = ("GET", "HEAD")
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class Gate:
    """Lets through who may come in, and gives every answer its headers."""

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        login: Callable[[Request], Response],
        failed: Callable[[Request, Exception], Response],
    ) -> None:
        """`login` is the page for strangers, `failed` the one of a bug."""
        self._app, self._door, self._login, self._failed = app, door, login, failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def headed(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                kept = scope["path"].startswith("/static/") and message["status"] < 400
                headers.setdefault("cache-control", "public, max-age=604800" if kept else "no-store")
            await send(message)

        request = Request(scope)
        answer = self._refusal(request) or self._app
        try:
            await answer(scope, receive, headed)
        except Exception as bug:
            if not begun:
                await self._failed(request, bug)(scope, receive, headed)
            raise

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if not self._door.knows_host(request.headers.get("host", "")):
            return PlainTextResponse("This server has another name: sbkube serve --allow-host NAME\n", 421)
        if request.method not in _SAFE and request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return PlainTextResponse("This came from another page.\n", 403)
        if path in OPEN or path.startswith("/static/"):
            return None
        if path == "/metrics" and self._door.scrapes(request):
            return None
        visitor = self._door.visitor(request)
        if visitor:
            request.state.visitor = visitor
            return None
        if path in ("/metrics", "/live") or request.method not in _SAFE:
            return PlainTextResponse("Sign in first.\n", 401)
        return RedirectResponse("/login", 303) if path == "/" else self._login(request)
