"""The sandbox in this process, on its own thread, opened again and again from copied folders.

Every request passes a `Guard`, which counts it and may kill the client before the request is carried out or after,
so that a test can put a `SIGKILL` between any two things that the cluster sees.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from sbkube.sandbox import certs, server, startup
from sbkube.sandbox.api import Api
from sbkube.sandbox.calls import Call, Reply
from sbkube.sandbox.controllers import Controllers
from sbkube.sandbox.http import Handler
from sbkube.sandbox.kinds import Registry
from sbkube.sandbox.service import Service
from sbkube.sandbox.store import Store

TOKEN = "token-of-the-fault-tests"
Json = dict[str, Any]
logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: its number, method, path with query, the sender's name, and the code of the answer."""

    number: int
    method: str
    path: str
    agent: str
    code: int = 0

    @property
    def writes(self) -> bool:
        """It may change the store."""
        return self.method not in ("GET", "HEAD") and "dryRun=All" not in self.path

    @property
    def lease(self) -> bool:
        """It is the deployment lock's."""
        return "/leases" in self.path


@dataclass
class Guard:
    """What is told about each request. `before` and `after` get its number; they may kill the client."""

    before: Callable[[Seen], None] = lambda seen: None
    after: Callable[[Seen], None] = lambda seen: None
    hold: Callable[[Seen], Awaitable[Any] | None] = lambda seen: None  # carried out when this is over
    count: int = 0
    seen: list[Seen] = field(default_factory=list)


class _Guarded(Service):
    guard: Guard

    async def __call__(self, call: Call) -> Reply:
        guard = self.guard
        if call.path in ("/readyz", "/livez"):
            return await super().__call__(call)
        guard.count += 1
        query = "&".join(f"{name}={value}" for name, value in call.query.items())
        path = f"{call.path}?{query}" if query else call.path
        seen = Seen(guard.count, call.method, path, call.headers.get("User-Agent", ""))
        at = len(guard.seen)
        guard.seen.append(seen)
        try:
            guard.before(seen)
            if (pause := guard.hold(seen)) is not None:
                await pause
            reply = await super().__call__(call)
            guard.seen[at] = seen = replace(seen, code=reply.code)
            guard.after(seen)
        except ConnectionResetError:
            return Reply(0, cut="after")
        return reply


@dataclass
class Running:
    """An open sandbox."""

    api: Api
    guard: Guard
    service: Service
    kubeconfig: Path
    _loop: asyncio.AbstractEventLoop
    _stop: Callable[[], Any]
    _controllers: Controllers

    def objects(self) -> list[Json]:
        """All stored objects; not to be changed."""
        store = self.api.store
        return [obj for resource in store.resources() for _, obj in store.items(resource)]

    def quiet(self, seconds: float = 5.0) -> None:
        """Wait until the controllers have nothing to do: what was asked for is there."""
        _wait(self._loop, self._settled(seconds))

    async def _settled(self, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        calm = 0
        rv = -1
        while calm < 3 and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
            soon = self._loop.time() + 1
            due = any(when < soon for when, _ in self._controllers._timers.values())
            busy = due or not self._controllers.idle or rv != self.api.store.rv
            calm, rv = 0 if busy else calm + 1, self.api.store.rv

    def act(self, work: Callable[[Api], Any]) -> Any:
        """Change the store as somebody else would, on the sandbox's own thread; waits for the disk."""

        async def done() -> Any:
            result = work(self.api)
            await self.api.store.flushed()
            return result

        return _wait(self._loop, done())

    def faults(self, *faults: Json) -> None:
        """Have these happen, and no others."""
        self.service.control.faults.clear()
        self.service.control.faults.add(*faults)

    @property
    def faults_met(self) -> int:
        """How many requests have met a fault."""
        return self.service.control.faults.met

    def close(self) -> None:
        """Stop serving; the folder can be copied afterwards."""
        _wait(self._loop, self._stop())


def _wait(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
    future: Future[Any] = asyncio.run_coroutine_threadsafe(work, loop)
    return future.result(60)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sandbox", daemon=True).start()
    return loop


@cache
def _certificates() -> certs.Certificates:
    return certs.make()


def open_sandbox(folder: Path, guard: Guard | None = None, *, ready_delay: float = 0.01) -> Running:
    """Serve the sandbox in `folder` on a free port; `ready_delay` is how long its pods take."""
    return _wait(_loop(), _open(folder, guard or Guard(), ready_delay))


async def _open(folder: Path, guard: Guard, ready_delay: float) -> Running:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(folder / "store.db")
    api, found, address = Api(store, Registry()), _certificates(), [""]
    service = _Guarded(api, TOKEN, server.version(server.DEFAULT_VERSION), lambda: address[0])
    service.guard = guard
    controllers = await startup.prepare(api, ready_delay, found.ca.decode())
    service.control.controllers = controllers
    await store.flushed()
    runner = web.ServerRunner(
        web.Server(Handler(service), request_factory=server._request, access_log=None), shutdown_timeout=0.01
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server._tls(folder, found))
    await site.start()
    address[0] = f"127.0.0.1:{runner.addresses[0][1]}"
    path = folder / "kubeconfig"
    path.write_text(server._kubeconfig(f"https://{address[0]}", found.ca, TOKEN))
    path.chmod(0o600)

    async def stop() -> None:
        await controllers.stop()
        await runner.cleanup()
        await store.flushed()
        store.close()

    return Running(api, guard, service, path, asyncio.get_running_loop(), stop, controllers)
