"""A sandbox inside this process: no port, no TLS, no start-up time; for tests that need very many of them.

    with InProcess() as box:
        box.add_faults({"verb": "patch", "kind": "ConfigMap", "cut": "after"})
        reply = box.request("GET", "/api/v1/namespaces", headers={"Accept": "application/json"})

The same service as behind HTTPS, with controllers, faults and request log, on an event loop in a thread of its
own; every method may be called from any thread. Objects are in memory unless a folder is named, which may be the
copy of a server's folder.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
from multidict import CIMultiDict, MultiDict

from sbkube.sandbox import bodies, startup
from sbkube.sandbox.api import Api
from sbkube.sandbox.calls import Call, Reply
from sbkube.sandbox.control import Control
from sbkube.sandbox.controllers import Controllers
from sbkube.sandbox.kinds import Registry
from sbkube.sandbox.server import DEFAULT_VERSION, version
from sbkube.sandbox.service import Service
from sbkube.sandbox.store import Store
from sbkube.sandbox.watch import Dropped

Json = dict[str, Any]
_TOKEN = "in-process"
_T = TypeVar("_T")


class Cut(ConnectionError):
    """The connection was dropped by a fault; `received` is what had arrived of the answer's body."""

    def __init__(self, where: str, received: bytes = b"") -> None:
        super().__init__(f"cut {where} by a fault")
        self.where = where
        self.received = received


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return orjson.loads(self.body)


class InProcess:
    """One sandbox; use it as a context manager, or call `close`.

    `folder`: where its objects are kept (None: nowhere); `ready_delay`: seconds until pods are ready;
    `kubernetes_version`: the version claimed.
    """

    def __init__(
        self, folder: Path | None = None, *, ready_delay: float = 0.0, kubernetes_version: str = DEFAULT_VERSION
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._thread.start()
        path = Path(":memory:") if folder is None else folder / "store.db"
        try:
            self._store, self._service, self._controllers = self._do(
                _started(path, ready_delay, kubernetes_version)
            )
        except BaseException:
            self._end_loop()
            raise

    def __enter__(self) -> InProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops everything; again is nothing."""
        if self._loop.is_closed():
            return
        self._do(self._controllers.stop())
        self._do(_on_loop(self._store.close))
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def request(
        self, method: str, path: str, body: bytes | Json | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Sends one request and gives its answer; `path` may have a query. A watch's lines come all together.

        Raises Cut where a fault drops the connection. Give watches a `timeoutSeconds`.
        """
        return self._do(self._exchange(_call(method, path, body, headers)))

    def watch(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Json]:
        """The events of a watch as they come. Raises Cut when it is dropped; ends when its time is over."""
        reply = self._do(self._service(_call("GET", path, None, headers)))
        stream = reply.stream
        if reply.cut or stream is None:
            if reply.cut:
                raise Cut(reply.cut)
            yield {"type": "ERROR", "object": orjson.loads(reply.body)}
            return
        try:
            while (line := self._do(_following(stream))) is not None:
                yield orjson.loads(line)
        except Dropped:
            raise Cut("body") from None
        finally:
            self._do(stream.aclose())

    async def _exchange(self, call: Call) -> Response:
        reply: Reply = await self._service(call)
        headers = CIMultiDict([("Content-Type", reply.content_type), *reply.headers])
        if reply.cut:
            raise Cut(reply.cut, reply.body[: len(reply.body) // 2] if reply.cut == "body" else b"")
        body = reply.body
        if reply.stream is not None:
            lines: list[bytes] = []
            try:
                async for line in reply.stream:
                    lines.append(line)
            except Dropped:
                raise Cut("body", b"".join(lines)) from None
            body = b"".join(lines)
        return Response(reply.code, headers, body)

    # ---- what the control endpoint offers

    def add_faults(self, *faults: Json) -> None:
        """Faults as `sbkube.sandbox.faults` describes them. Raises StatusError 400."""
        self._do(_on_loop(lambda: self._control.faults.add(*faults)))

    def clear_faults(self) -> None:
        """Forgets all faults."""
        self._do(_on_loop(self._control.faults.clear))

    def faults(self) -> Json:
        """What waits, and how many requests met a fault."""
        found: Json = self._do(_on_loop(self._control.faults.listed))
        return found

    def keep_requests(self, count: int) -> None:
        """Keeps the last `count` requests in the log from now on; 0 switches it off."""
        self._do(_on_loop(lambda: self._control.log.resize(count)))

    def requests(self) -> list[Json]:
        """The log, oldest first; `sbkube.sandbox.request_log` describes the entries."""
        found: list[Json] = self._do(_on_loop(self._control.log.listed))["requests"]
        return found

    def drop_watches(self) -> int:
        """Drops all open watches; tells how many there were."""
        dropped: int = self._do(_on_loop(self._control.drop_watches))
        return dropped

    def forget_history(self) -> None:
        """Older resource versions get 410 from now on."""
        self._do(_on_loop(self._store.forget))

    def advance(self, seconds: float) -> None:
        """Moves the time by which CronJobs are judged."""
        self._do(_on_loop(lambda: self._control.advance(seconds)))

    @property
    def idle(self) -> bool:
        """Whether the controllers have nothing to do now."""
        return self._controllers.idle

    @property
    def _control(self) -> Control:
        return self._service.control


def _call(method: str, path: str, body: bytes | Json | None, headers: Mapping[str, str] | None) -> Call:
    split = urlsplit(path)
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    sent = CIMultiDict({"Content-Type": "application/json", **(headers or {})})
    sent["Authorization"] = f"Bearer {_TOKEN}"

    async def read() -> bytes:
        if len(data) > bodies.LIMIT:
            raise bodies.too_large()
        return data

    query = MultiDict(parse_qsl(split.query, keep_blank_values=True))
    return Call(method, unquote(split.path), query, sent, read)


async def _started(path: Path, ready_delay: float, claimed: str) -> tuple[Store, Service, Controllers]:
    store = Store(path)
    api = Api(store, Registry())
    service = Service(api, _TOKEN, version(claimed), lambda: "in-process")
    controllers = await startup.prepare(api, ready_delay, "")
    service.control.controllers = controllers
    await store.flushed()
    return store, service, controllers


async def _on_loop(work: Any) -> Any:
    return work()


async def _following(stream: Any) -> bytes | None:
    found: bytes | None = await anext(stream, None)
    return found
