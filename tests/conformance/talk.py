"""Plain talk with an API server: every answer as it came, refusals included. Standard library only."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and the body, parsed when it is JSON."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: Any

    def ok(self) -> Any:
        """The body of an answer that must be a success."""
        assert self.status < 300, f"{self.status}: {self.body}"
        return self.body

    @property
    def warnings(self) -> list[str]:
        """The texts of Warning headers, read as clients read them: quoted strings (RFC 9110), code 299."""
        found = re.findall(r'299 \S+ "((?:[^"\\]|\\.)*)"(?:,|$)', self.headers.get("warning", ""))
        return [re.sub(r"\\(.)", r"\1", text) for text in found]

    @property
    def message(self) -> str:
        """The message of a Status."""
        return str(self.body.get("message"))


def refusal(code: int, reason: str, message: str, details: Json | None = None) -> Json:
    """The Status that a refusal must be, whole."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    body["reason"] = reason
    if details is not None:
        body["details"] = details
    return {**body, "code": code}


def cause(reason: str, message: str, where: str) -> Json:
    """One cause of a Status."""
    return {"reason": reason, "message": message, "field": where}


class Api:
    """One server. `controllers`: whether somebody looks after deployments, garbage and namespaces."""

    def __init__(self, name: str, server: str, tls: ssl.SSLContext, headers: dict[str, str]) -> None:
        self.name = name
        self._host = urllib.parse.urlsplit(server).netloc
        self._prefix = urllib.parse.urlsplit(server).path.rstrip("/")
        self._tls = tls
        self._headers = {"User-Agent": "conformance/1", "Accept": "application/json", **headers}
        self._kept: http.client.HTTPSConnection | None = None
        self.controllers = False

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._tls, timeout=60)

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: Json | None = None, **query: Any
    ) -> Answer:
        """One request. A body of text or bytes goes out as it is, others as JSON; query values as text."""
        data = body.encode() if isinstance(body, str) else body
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
        sent = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        for attempt in (1, 2):
            connection = self._kept or self._connect()
            self._kept = connection
            try:
                connection.request(method, self._prefix + path + _query(query), data, sent)
                answer = connection.getresponse()
                text = answer.read()
            except (ConnectionError, http.client.HTTPException):
                # A kept connection may have been closed meanwhile; a new one has no excuse.
                self._kept = None
                if attempt == 2:
                    raise
                continue
            found: dict[str, str] = {}
            for name, value in answer.getheaders():
                found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
            return Answer(answer.status, found, _parsed(text))
        raise AssertionError("unreachable")

    def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        """POST."""
        return self.ask("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        """PUT."""
        return self.ask("PUT", path, body, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        """DELETE."""
        return self.ask("DELETE", path, body, **query)

    def patch(self, path: str, body: Any, kind: str = MERGE, **query: Any) -> Answer:
        """PATCH of one of the kinds above."""
        return self.ask("PATCH", path, body, headers={"Content-Type": kind}, **query)

    def apply(self, path: str, body: Any, manager: str = "alpha", **query: Any) -> Answer:
        """Server-side apply."""
        return self.patch(path, body, APPLY, fieldManager=manager, **query)

    def watch(self, path: str, seconds: int = 20, **query: Any) -> Iterator[Json]:
        """The events of a watch, as they come, until the server ends it after `seconds`."""
        connection = self._connect()
        try:
            where = self._prefix + path + _query({"watch": "true", "timeoutSeconds": seconds, **query})
            connection.request("GET", where, headers=self._headers)
            answer = connection.getresponse()
            if answer.status != 200:
                yield {"type": "ERROR", "object": _parsed(answer.read())}
                return
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def until(self, path: str, holds: Callable[[Answer], bool], what: str = "") -> Any:
        """Ask again until it holds; gives that answer's body."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.get(path)
            if holds(answer):
                return answer.body
            assert time.monotonic() < deadline, (
                f"{what or path} after {PATIENCE:g} s: {answer.status} {answer.body}"
            )
            time.sleep(0.05)

    def gone(self, path: str) -> None:
        """Wait until there is nothing at a path."""
        self.until(path, lambda answer: answer.status == 404, f"{path} is still there")


def _query(values: Json) -> str:
    text = urllib.parse.urlencode({name: value for name, value in values.items() if value is not None})
    return f"?{text}" if text else ""


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace")
