"""The API over HTTP: one handler below aiohttp's low-level server. Everything else here knows no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from sbkube.sandbox import bodies, discovery, openapi, requests
from sbkube.sandbox.api import Api
from sbkube.sandbox.faults import Fault, Faults
from sbkube.sandbox.negotiation import accepted
from sbkube.sandbox.requests import Answer, Request
from sbkube.sandbox.routing import resolve
from sbkube.sandbox.status import StatusError, path_not_found, server_error, unauthorized
from sbkube.sandbox.watch import Wanted, watch

Json = dict[str, Any]
_JSON = "application/json"
logger = logging.getLogger(__name__)


class Handler:
    """Answers requests of bearers of `token`; `version` is the body of /version."""

    def __init__(self, api: Api, token: str, version: Json, address: Callable[[], str]) -> None:
        self.api = api
        self.faults = Faults()
        self._expected = f"Bearer {token}".encode()
        self._version = version
        self._address = address

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        try:
            return await self._answer(request)
        except StatusError as error:
            return _refused(error)
        except sqlite3.Error as error:
            return _refused(server_error(f"the store cannot be written: {error}"))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Input that nobody foresaw must end in a Status, and must not take the connection along.
            logger.exception("%s %s", request.method, request.path)
            return _refused(server_error(f"{type(error).__name__}"))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        sent = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, self._expected):
            raise unauthorized()
        if path == "/sandbox/faults":
            return await self._control(request)
        plain = self._plain(path, request)
        if plain is not None:
            return plain
        target = resolve(self.api.registry, path)
        if target is None:
            return _unknown(self.api, path)
        ask = Request(
            target,
            request.method,
            dict(request.query),
            request.headers.get("Accept", ""),
            request.headers.get("Content-Type", ""),
            request.headers.get("User-Agent", ""),
            await _body(request),
        )
        verb = ask.verb
        kind = (target.kind.kind, target.kind.plural, target.kind.resource)
        fault = self.faults.waiting and self.faults.take(verb, kind, target.namespace, target.name, ask.dry_run)
        if fault:
            await self._before(fault, request)
        if verb == "watch" and target.name and not target.subresource:
            self.api.get(target.kind, target.namespace, target.name)
        if verb == "watch" and not target.subresource:
            return await self._watch(request, ask)
        answer = requests.carry_out(self.api, ask)
        try:
            # Reads wait too: what they saw may still be on its way to the disk.
            await self.api.store.flushed()
        except sqlite3.Error:
            if verb not in ("get", "list"):
                raise
            answer = requests.carry_out(self.api, ask)
        return await self._send(request, answer, fault or None)

    async def _before(self, fault: Fault, request: web.BaseRequest) -> None:
        if fault.latency:
            await asyncio.sleep(fault.latency)
        if fault.cut == "before":
            _cut(request)
        if fault.status:
            raise fault.error()

    async def _send(self, request: web.BaseRequest, answer: Answer, fault: Fault | None) -> web.StreamResponse:
        headers = [("Cache-Control", "no-cache, private")]
        headers += [("Warning", f'299 - "{w}"') for w in answer.warnings]
        data, content_type = _encoded(answer, request.headers.get("Accept", ""))
        if fault and fault.cut == "after":
            _cut(request)
        if fault and fault.cut == "body":
            response = web.StreamResponse(status=answer.code, headers={"Content-Length": str(len(data))})
            await response.prepare(request)
            await response.write(data[: len(data) // 2])
            _cut(request)
        found = web.Response(body=data, status=answer.code, content_type=content_type)
        for name, value in headers:
            found.headers.add(name, value)
        return found

    def _plain(self, path: str, request: web.BaseRequest) -> web.Response | None:
        """Everything that is not a resource: version, discovery, OpenAPI."""
        registry = self.api.registry
        parts = path.strip("/").split("/")
        accept = request.headers.get("Accept", "")
        if parts[0] == "version":
            return _json(self._version)
        if parts[0] in ("api", "apis") and len(parts) == 1:
            return self._root(parts[0], accept, request)
        if parts == ["api", "v1"]:
            return _json(discovery.resource_list(registry, "", "v1"))
        if parts[0] == "apis" and len(parts) in (2, 3):
            versions = discovery.groups(registry).get(parts[1])
            if not versions or (len(parts) == 3 and parts[2] not in versions):
                return _unknown(self.api, path)
            if len(parts) == 3:
                return _json(discovery.resource_list(registry, parts[1], parts[2]))
            return _json({"kind": "APIGroup", "apiVersion": "v1", **discovery.group(parts[1], versions)})
        if parts[0] == "openapi":
            return _openapi(self.api, parts[1:])
        if parts == [""]:
            return _json({"paths": ["/api", "/api/v1", "/apis", "/openapi/v3", "/version"]})
        return None

    def _root(self, which: str, accept: str, request: web.BaseRequest) -> web.Response:
        for part in accept.split(","):
            words = {w.strip() for w in part.split(";")}
            if {"g=apidiscovery.k8s.io", "as=APIGroupDiscoveryList"} <= words:
                version = next((v for v in ("v2", "v2beta1") if f"v={v}" in words), None)
                if version is None:
                    continue
                body = orjson.dumps(discovery.aggregated(self.api.registry, which == "api", version))
                return _tagged(body, version, request)
        if which == "api":
            return _json(discovery.api_versions(self._address()))
        return _json(discovery.group_list(self.api.registry))

    async def _watch(self, request: web.BaseRequest, ask: Request) -> web.StreamResponse:
        wanted: Wanted = requests.wanted(self.api, ask)
        render = requests.event_renderer(self.api, ask)
        response = web.StreamResponse(
            headers={"Content-Type": render.content_type, "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            try:
                async for what, obj in watch(self.api.store, wanted):
                    await response.write(render(what, obj))
            except StatusError as error:
                await response.write(orjson.dumps({"type": "ERROR", "object": error.body()}) + b"\n")
            await response.write_eof()
        return response

    async def _control(self, request: web.BaseRequest) -> web.Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            raw = bodies.read_json(await _body(request))
            for one in raw if isinstance(raw, list) else [raw]:
                self.faults.add(one)
        return _json({"waiting": len(self.faults.waiting)})


def _encoded(answer: Answer, accept: str) -> tuple[bytes, str]:
    if isinstance(answer.body, bytes):
        return answer.body, answer.content_type
    if "yaml" in accept and accepted(accept)[0] == bodies.YAML_TYPE:
        return bodies.as_yaml(answer.body), bodies.YAML_TYPE
    return orjson.dumps(answer.body), answer.content_type


def _unknown(api: Api, path: str) -> web.Response:
    """The answer for a path that names nothing: a Status below a served version, else the router's text."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" or (
        parts[0] == "apis" and parts[2:] and parts[2] in discovery.groups(api.registry).get(parts[1], ())
    ):
        raise path_not_found()
    return web.Response(text="404 page not found\n", status=404)


async def _body(request: web.BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise bodies.too_large() from None


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("cut by a fault")


def _json(body: Json) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type=_JSON)


def _refused(error: StatusError) -> web.Response:
    return web.Response(
        body=orjson.dumps(error.body()), status=error.code, content_type=_JSON, headers=error.headers
    )


def _tagged(body: bytes, version: str, request: web.BaseRequest) -> web.Response:
    tag = '"' + hashlib.sha512(body).hexdigest().upper() + '"'
    headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = f"{_JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    return web.Response(body=body, headers=headers)


def _openapi(api: Api, parts: list[str]) -> web.Response:
    if parts == ["v2"]:
        return web.Response(body=openapi.v2(), headers={"Content-Type": openapi.V2_TYPE})
    if parts == ["v3"]:
        return _json(openapi.index(api.registry))
    group_version = ("", "v1") if parts == ["v3", "api", "v1"] else ("", "")
    if parts[:2] == ["v3", "apis"] and len(parts) == 4:
        served = discovery.groups(api.registry).get(parts[2], ())
        group_version = (parts[2], parts[3]) if parts[3] in served else group_version
    if group_version[1]:
        state = openapi.fingerprint(api.registry, *group_version)
        headers = {"ETag": f'"{state}"', "Vary": "Accept"}
        return web.Response(
            body=openapi.encoded(api.registry, *group_version, state), content_type=_JSON, headers=headers
        )
    raise path_not_found()
