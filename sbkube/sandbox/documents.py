"""Everything served that is no resource: version, discovery, OpenAPI."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sbkube.sandbox import discovery, openapi
from sbkube.sandbox.api import Api
from sbkube.sandbox.calls import JSON, Call, Reply
from sbkube.sandbox.status import method_not_allowed, path_not_found

Json = dict[str, Any]
_ROOTS = {"", "version", "api", "apis", "openapi"}


class Documents:
    """Answers for the paths that name no resource; `version` is the body of /version."""

    def __init__(self, api: Api, version: Json, address: Callable[[], str]) -> None:
        self._api = api
        self._version = version
        self._address = address

    def find(self, call: Call) -> Reply | None:
        """The document, or None when the path may be a resource. Raises StatusError 404, 405."""
        parts = call.path.strip("/").split("/")
        if parts[0] not in _ROOTS:
            return None
        found = self._found(parts, call)
        if found is not None and call.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        return found

    def _found(self, parts: list[str], call: Call) -> Reply | None:
        registry = self._api.registry
        if parts[0] == "version":
            return Reply.json(self._version) if len(parts) == 1 else unknown(self._api, call.path)
        if parts[0] in ("api", "apis") and len(parts) == 1:
            return self._root(parts[0], call.headers)
        if parts == ["api", "v1"]:
            return Reply.json(discovery.resource_list(registry, "", "v1"))
        if parts[0] == "apis" and len(parts) in (2, 3):
            versions = discovery.groups(registry).get(parts[1])
            if not versions or (len(parts) == 3 and parts[2] not in versions):
                return unknown(self._api, call.path)
            if len(parts) == 3:
                return Reply.json(discovery.resource_list(registry, parts[1], parts[2]))
            return Reply.json({"kind": "APIGroup", "apiVersion": "v1", **discovery.group(parts[1], versions)})
        if parts[0] == "openapi":
            return _openapi(self._api, parts[1:], call.headers)
        if parts == [""]:
            return Reply.json({"paths": ["/api", "/api/v1", "/apis", "/openapi/v3", "/version"]})
        return None

    def _root(self, which: str, headers: Mapping[str, str]) -> Reply:
        for part in headers.get("Accept", "").split(","):
            words = {w.strip() for w in part.split(";")}
            if {"g=apidiscovery.k8s.io", "as=APIGroupDiscoveryList"} <= words:
                version = next((v for v in ("v2", "v2beta1") if f"v={v}" in words), None)
                if version is None:
                    continue
                body = orjson.dumps(discovery.aggregated(self._api.registry, which == "api", version))
                shape = f"{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                tag = hashlib.sha512(body).hexdigest().upper()
                return _tagged(body, tag, shape, headers, [("Cache-Control", "public")])
        if which == "api":
            return Reply.json(discovery.api_versions(self._address()))
        return Reply.json(discovery.group_list(self._api.registry))


def unknown(api: Api, path: str) -> Reply:
    """The answer for a path that names nothing: a Status below a served version, else the router's text."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" or (
        parts[0] == "apis" and parts[2:] and parts[2] in discovery.groups(api.registry).get(parts[1], ())
    ):
        raise path_not_found()
    return Reply(404, b"404 page not found\n", "text/plain; charset=utf-8")


def _tagged(
    body: bytes, tag: str, content_type: str, headers: Mapping[str, str], more: list[tuple[str, str]]
) -> Reply:
    """A document with its ETag, or 304 for who has it already."""
    found = [("ETag", f'"{tag}"'), ("Vary", "Accept"), *more]
    known = [t.strip().removeprefix("W/") for t in headers.get("If-None-Match", "").split(",")]
    if f'"{tag}"' in known:
        return Reply(304, b"", "", found)
    return Reply(200, body, content_type, found)


def _openapi(api: Api, parts: list[str], headers: Mapping[str, str]) -> Reply:
    if parts == ["v2"]:
        body = openapi.v2()
        return _tagged(body, hashlib.sha512(body).hexdigest().upper(), openapi.V2_TYPE, headers, [])
    if parts == ["v3"]:
        return Reply.json(openapi.index(api.registry))
    group_version = ("", "v1") if parts == ["v3", "api", "v1"] else ("", "")
    if parts[:2] == ["v3", "apis"] and len(parts) == 4:
        served = discovery.groups(api.registry).get(parts[2], ())
        group_version = (parts[2], parts[3]) if parts[3] in served else group_version
    if group_version[1]:
        state = openapi.fingerprint(api.registry, *group_version)
        return _tagged(openapi.encoded(api.registry, *group_version, state), state, JSON, headers, [])
    raise path_not_found()
