"""What an API server serves: group, version, kind, plural, scope, verbs.

Aggregated discovery (KEP-3352) in two requests, or the older one request per group and version. The answer may be
kept in a file per server; a kind that is missing there is always asked for again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from sbkube.edges.connection import JSON, Connection, Request
from sbkube.edges.wire import Answer
from sbkube.errors import ClusterError
from sbkube.models.resource import ResourceType

AGGREGATED = ",".join(
    f"{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
KEPT = 600.0  # seconds that a file's answer is believed

Table = dict[tuple[str, str], ResourceType]


class Discovery:
    """The kinds of one server. Safe for use from several threads."""

    def __init__(self, connection: Connection, folder: Path | None = None) -> None:
        self._connection = connection
        self._file = folder / _file_name(connection) if folder else None
        self._lock = threading.Lock()
        self._table: Table | None = None
        self._live = False
        self._asked = 0
        self._etags: dict[str, tuple[str, list[ResourceType]]] = {}

    def find(self, api_version: str, kind: str) -> ResourceType | None:
        """The kind, asked for again when it is not known, or None."""
        table, asked = self._known()
        found = table.get((api_version, kind))
        if found is not None or not api_version or not kind:
            return found
        return self._ask_again(asked).get((api_version, kind))

    def served(self) -> tuple[str, ...]:
        """All `group/version` and `group/version/Kind`, sorted; never from a file."""
        table, asked = self._known()
        if not self._live:
            table = self._ask_again(asked)
        names = {name for version, kind in table for name in (version, f"{version}/{kind}")}
        return tuple(sorted(names))

    def _known(self) -> tuple[Table, int]:
        table = self._table
        if table is None:
            with self._lock:
                if self._table is None:
                    self._table = self._from_file()
                if self._table is None:
                    self._refresh()
                table = self._table or {}
        return table, self._asked

    def _ask_again(self, asked: int) -> Table:
        """Ask, unless another thread has done so since the caller looked."""
        with self._lock:
            if self._asked == asked:
                self._refresh()
            return self._table or {}

    def _refresh(self) -> None:
        types = [*self._ask("/api"), *self._ask("/apis")]
        self._table = {(t.api_version, t.kind): t for t in types}
        self._live = True
        self._asked += 1
        self._to_file(types)

    def _ask(self, path: str) -> list[ResourceType]:
        etag, before = self._etags.get(path, ("", []))
        answer = self._connection.request(Request("GET", path, accept=f"{AGGREGATED},{JSON}", etag=etag))
        if answer.status == 304:
            return before
        document = orjson.loads(answer.body)
        if document.get("kind") == "APIGroupDiscoveryList":
            types = list(_aggregated(document))
        else:
            types = self._one_by_one(path, document)
        self._remember(path, answer, types)
        return types

    def _remember(self, path: str, answer: Answer, types: list[ResourceType]) -> None:
        if etag := answer.headers.get("etag", ""):
            self._etags[path] = (etag, types)

    def _one_by_one(self, path: str, document: Mapping[str, Any]) -> list[ResourceType]:
        if document.get("kind") == "APIVersions":
            versions = list(document.get("versions") or ())
        else:
            versions = [v["groupVersion"] for g in document.get("groups") or () for v in g.get("versions") or ()]
        with ThreadPoolExecutor(8) as pool:
            lists = pool.map(self._legacy, [(path, version) for version in versions])
        return [found for types in lists for found in types]

    def _legacy(self, what: tuple[str, str]) -> list[ResourceType]:
        path, version = what
        try:
            # Not repeated: an aggregated API whose server is down must not hold up the rest.
            answer = self._connection.request(Request("GET", f"{path}/{version}", repeatable=False))
        except ClusterError:
            return []
        group, _, number = version.rpartition("/")
        resources = orjson.loads(answer.body).get("resources") or ()
        return [
            ResourceType(
                group, number, r["kind"], r["name"], bool(r.get("namespaced")), frozenset(r.get("verbs") or ())
            )
            for r in resources
            if "/" not in r["name"]
        ]

    def _from_file(self) -> Table | None:
        if self._file is None:
            return None
        try:
            if time.time() - self._file.stat().st_mtime > KEPT:
                return None
            rows = json.loads(self._file.read_bytes())
            types = [ResourceType(g, v, k, p, n, frozenset(verbs)) for g, v, k, p, n, verbs in rows]
        except (OSError, ValueError, TypeError, IndexError):
            return None  # a file that is not there or not whole is no answer; the server has one
        return {(t.api_version, t.kind): t for t in types}

    def _to_file(self, types: list[ResourceType]) -> None:
        if self._file is None:
            return
        rows = [[t.group, t.version, t.kind, t.plural, t.namespaced, sorted(t.verbs)] for t in types]
        temporary = self._file.with_suffix(f".{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):  # a cache that cannot be written costs two requests, nothing else
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(orjson.dumps(rows))
            temporary.replace(self._file)


def _file_name(connection: Connection) -> str:
    access = connection.access
    identity = "\0".join((access.server, access.tls.ca_data, access.tls.ca_file, access.user))
    return f"discovery-{hashlib.sha256(identity.encode()).hexdigest()[:24]}.json"


def _aggregated(document: Mapping[str, Any]) -> Iterator[ResourceType]:
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            for resource in version.get("resources") or ():
                kind = (resource.get("responseKind") or {}).get("kind")
                if kind:
                    yield ResourceType(
                        name,
                        version["version"],
                        kind,
                        resource["resource"],
                        resource.get("scope") == "Namespaced",
                        frozenset(resource.get("verbs") or ()),
                    )
