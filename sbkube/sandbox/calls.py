"""One exchange with a client as values: what HTTP and the in-process way have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from sbkube.sandbox.status import StatusError

JSON = "application/json"


@dataclass(slots=True)
class Call:
    """What came in. `headers` ignore case; `read` gives the body and raises StatusError 413 for a large one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    read: Callable[[], Awaitable[bytes]]


@dataclass(slots=True)
class Reply:
    """What goes out: `body`, or `stream` in its place. `cut`: drop the connection instead (`before`, `after`) or
    in the middle (`body`)."""

    code: int
    body: bytes = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: AsyncGenerator[bytes, None] | None = None
    cut: str = ""

    @staticmethod
    def json(body: Any) -> Reply:
        """200 with JSON."""
        return Reply(200, orjson.dumps(body))

    @staticmethod
    def refusal(error: StatusError) -> Reply:
        """A Status."""
        return Reply(error.code, orjson.dumps(error.body()), JSON, list(error.headers.items()))
