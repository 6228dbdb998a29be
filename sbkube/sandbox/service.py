"""The server without its transport: who may ask, what goes wrong on demand, and who answers."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from sbkube.sandbox import bodies, requests
from sbkube.sandbox.api import Api
from sbkube.sandbox.calls import Call, Reply
from sbkube.sandbox.control import PREFIX, Control
from sbkube.sandbox.documents import Documents, unknown
from sbkube.sandbox.faults import Fault, Met
from sbkube.sandbox.negotiation import accepted
from sbkube.sandbox.request_log import Entry
from sbkube.sandbox.requests import Answer, Request
from sbkube.sandbox.routing import resolve
from sbkube.sandbox.status import StatusError, server_error, unauthorized, warning
from sbkube.sandbox.watch import Dropped, watch

Json = dict[str, Any]
_PROBES = ("/healthz", "/livez", "/readyz")
_CACHE = ("Cache-Control", "no-cache, private")
logger = logging.getLogger(__name__)


class Service:
    """Answers calls of bearers of `token`; `version` is the body of /version, `address` gives `host:port`."""

    def __init__(self, api: Api, token: str, version: Json, address: Callable[[], str]) -> None:
        self.api = api
        self.control = Control(api)
        self._documents = Documents(api, version, address)
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, call: Call) -> Reply:
        """One call; every failure is a reply."""
        if call.path in _PROBES or call.path.startswith(("/livez/", "/readyz/")):
            return Reply(200, b"ok", "text/plain; charset=utf-8")
        noted: list[Entry] = []
        try:
            reply = await self._answer(call, noted)
        except StatusError as error:
            reply = Reply.refusal(error)
        except sqlite3.Error as error:
            reply = Reply.refusal(server_error(f"the store cannot be written: {error}"))
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # Input that nobody foresaw must end in a Status, and must not take the connection along.
            logger.exception("%s %s", call.method, call.path)
            reply = Reply.refusal(server_error(f"{type(error).__name__}"))
        for entry in noted:
            unseen = reply.cut in ("before", "after")
            outcome = f"cut {reply.cut}" if reply.cut else "watching" if reply.stream is not None else "answered"
            self.control.log.end(entry, 0 if unseen else reply.code, outcome)
        return reply

    async def _answer(self, call: Call, noted: list[Entry]) -> Reply:
        sent = call.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, self._expected):
            raise unauthorized()
        if call.path.startswith(PREFIX) and call.path[len(PREFIX) :][:1] in ("", "/"):
            return await self.control.answer(call)
        target = resolve(self.api.registry, call.path)
        headers = call.headers
        ask: Request | None = None
        if target is not None:
            ask = Request(
                target,
                call.method,
                dict(call.query),
                headers.get("Accept", ""),
                headers.get("Content-Type", ""),
                headers.get("User-Agent", ""),
                await call.read(),
            )
        fault: Fault | None = None
        met: Met | None = None
        if self.control.faults.waiting or self.control.log.keep:
            met = _met(call, ask)
            if self.control.log.keep:
                query = "&".join(f"{k}={v}" for k, v in call.query.items())
                noted.append(self.control.log.begin(call.method, query, met))
            fault = self.control.faults.take(met)
        if fault is None or met is None:
            return await self._served(call, ask)
        return await self._faulty(call, ask, fault, met)

    async def _served(self, call: Call, ask: Request | None) -> Reply:
        """The reply when nothing goes wrong on demand. Raises StatusError, sqlite3.Error."""
        if ask is None:
            return self._documents.find(call) or unknown(self.api, call.path)
        verb = ask.verb
        if verb == "watch" and not ask.target.subresource:
            return self._watching(ask)
        answer = requests.carry_out(self.api, ask)
        try:
            # Reads wait too: what they saw may still be on its way to the disk.
            await self.api.store.flushed()
        except sqlite3.Error:
            if verb not in ("get", "list"):
                raise
            answer = requests.carry_out(self.api, ask)
        return _reply(answer, ask.accept)

    async def _faulty(self, call: Call, ask: Request | None, fault: Fault, met: Met) -> Reply:
        if fault.latency:
            await asyncio.sleep(fault.latency)
        if fault.cut == "before":
            return Reply(0, cut="before")
        in_stream = met.verb == "watch" and (fault.after_events > 0 or fault.status == 410)
        if fault.status and not in_stream:
            raise fault.error(met)
        reply = await self._served(call, ask)
        if fault.answer_latency:
            await asyncio.sleep(fault.answer_latency)
        if reply.stream is not None:
            if fault.status or fault.cut:
                reply.stream = _broken(reply.stream, fault, met)
        else:
            reply.cut = fault.cut
        return reply

    def _watching(self, ask: Request) -> Reply:
        if ask.target.name:
            self.api.get(ask.target.kind, ask.target.namespace, ask.target.name)
        wanted = requests.wanted(self.api, ask)
        render = requests.event_renderer(self.api, ask)
        stream = self._events(wanted, render)
        return Reply(200, b"", render.content_type, [_CACHE], stream)

    async def _events(self, wanted: Any, render: requests.EventRenderer) -> AsyncGenerator[bytes, None]:
        try:
            async for what, obj in watch(self.api.store, wanted, self.control.watches):
                yield render(what, obj)
        except StatusError as error:
            yield _error_event(error)


def _met(call: Call, ask: Request | None) -> Met:
    """The call as faults and the log see it."""
    agent = call.headers.get("User-Agent", "")
    manager = call.query.get("fieldManager") or agent.partition("/")[0]
    if ask is None:
        return Met(call.path, "get" if call.method == "GET" else call.method.lower(), agent=agent)
    target = ask.target
    name = target.name or (_name_in(ask) if ask.verb == "create" else "")
    return Met(call.path, ask.verb, target.kind, target.namespace, name, target.subresource, agent, manager,
               ask.dry_run)  # fmt: skip


def _name_in(ask: Request) -> str:
    try:
        found = bodies.read_object(ask.content_type, ask.body).get("metadata")
    except StatusError:
        return ""
    return str(found.get("name") or "") if isinstance(found, dict) else ""


async def _broken(stream: AsyncGenerator[bytes, None], fault: Fault, met: Met) -> AsyncGenerator[bytes, None]:
    """A watch that ends as the fault says, after so many events."""
    left = fault.after_events
    if left:
        async for line in stream:
            yield line
            left -= 1
            if not left:
                break
    if not left and fault.status:
        yield _error_event(fault.error(met))
    elif not left:
        raise Dropped


def _error_event(error: StatusError) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": error.body()}) + b"\n"


def _reply(answer: Answer, accept: str) -> Reply:
    headers = [_CACHE, *(("Warning", warning(w)) for w in answer.warnings)]
    if isinstance(answer.body, bytes):
        return Reply(answer.code, answer.body, answer.content_type, headers)
    if "yaml" in accept and accepted(accept)[0] == bodies.YAML_TYPE:
        return Reply(answer.code, bodies.as_yaml(answer.body), bodies.YAML_TYPE, headers)
    return Reply(answer.code, orjson.dumps(answer.body), answer.content_type, headers)
