"""The service over HTTP: one handler below aiohttp's low-level server. Nothing else here knows HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from sbkube.sandbox import bodies
from sbkube.sandbox.calls import Call, Reply
from sbkube.sandbox.service import Service
from sbkube.sandbox.watch import Dropped

Lines = AsyncGenerator[bytes, None]
LOOK = 5.0  # seconds between two looks whether the client of a quiet watch is still there


class _Short(logging.Filter):
    """What a client did wrong is one line; a traceback is for what is wrong here."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # Without the line that it quotes, which may have a token in it.
            said = " ".join(str(error).partition("b'")[0].split())
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {said}", (), None
        return True


def complaints() -> logging.Logger:
    """The logger for the server below the handler."""
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(_Short())
    return logger


class Handler:
    """Hands requests to the service and writes its replies."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""

        async def read() -> bytes:
            if not request.body_exists:
                return b""
            try:
                return await request.read()
            except web.HTTPRequestEntityTooLarge:
                raise bodies.too_large() from None

        call = Call(request.method, request.path, request.query, request.headers, read)
        try:
            reply = await self._service(call)
        except (ConnectionError, web.RequestPayloadError):
            return _abort(request)  # The client went away in the middle of its request.
        if reply.cut:
            return await _cut(request, reply)
        if reply.stream is not None:
            return await _stream(request, reply, reply.stream)
        response = web.Response(body=reply.body, status=reply.code)
        for name, value in reply.headers:
            response.headers.add(name, value)
        if reply.content_type:
            response.headers["Content-Type"] = reply.content_type
        return response


async def _cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Drops the connection, for a cut in the body after half of the answer."""
    if reply.cut == "body":
        headers = {"Content-Length": str(len(reply.body)), "Content-Type": reply.content_type}
        response = web.StreamResponse(status=reply.code, headers=headers)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
    return _abort(request)


def _abort(request: web.BaseRequest) -> web.StreamResponse:
    """Drops the connection; gives something that aiohttp can send in vain."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _stream(request: web.BaseRequest, reply: Reply, stream: Lines) -> web.StreamResponse:
    headers = [("Content-Type", reply.content_type), *reply.headers]
    response = web.StreamResponse(headers=dict(headers))
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        with contextlib.suppress(ConnectionResetError):
            async with contextlib.aclosing(stream), contextlib.aclosing(_while_open(request, stream)) as lines:
                async for line in lines:
                    await response.write(line)
            await response.write_eof()
    except Dropped:
        return _abort(request)
    return response


async def _while_open(request: web.BaseRequest, stream: Lines) -> Lines:
    """The lines of a stream until its client goes away, which a quiet stream would not notice by itself."""
    while True:
        following = asyncio.ensure_future(anext(stream, None))
        try:
            while not (await asyncio.wait({following}, timeout=LOOK))[0]:
                if request.transport is None or request.transport.is_closing():
                    raise ConnectionResetError("the client went away")
        finally:
            if not following.done():
                following.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await following
        line = following.result()
        if line is None:
            return
        yield line
