"""The control endpoint: what no API server has. It wants the same token; tests use it.

GET    /sandbox            facts: version of the store, objects, open watches, whether controllers are idle
GET, POST, DELETE /sandbox/faults      see `faults`
GET, POST, DELETE /sandbox/requests    see `request_log`
DELETE /sandbox/watches    drops the connections of all open watches
DELETE /sandbox/history    forgets the past: older resource versions get 410, as after etcd's compaction
POST   /sandbox/clock      {"advance": SECONDS}: moves the time by which schedules of CronJobs are judged
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sbkube.sandbox import bodies
from sbkube.sandbox.api import Api
from sbkube.sandbox.calls import Call, Reply
from sbkube.sandbox.controllers import Controllers
from sbkube.sandbox.faults import Faults
from sbkube.sandbox.request_log import RequestLog
from sbkube.sandbox.status import bad_request, method_not_allowed, path_not_found

Json = dict[str, Any]
PREFIX = "/sandbox"


class Control:
    """Faults, the request log, watches and time of one server."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.faults = Faults()
        self.log = RequestLog()
        self.controllers: Controllers | None = None
        self.watches: set[Callable[[], None]] = set()

    def facts(self) -> Json:
        """What is going on."""
        store = self.api.store
        counts = {resource: len(store.items(resource)) for resource in store.resources()}
        return {
            "resourceVersion": store.rv,
            "oldestResourceVersion": store.oldest,
            "objects": counts,
            "watches": len(self.watches),
            "idle": self.controllers is None or self.controllers.idle,
        }

    def drop_watches(self) -> int:
        """Drops the connections of all open watches; tells how many there were."""
        found = list(self.watches)
        for drop in found:
            drop()
        return len(found)

    def advance(self, seconds: Any) -> None:
        """Moves the time of schedules forward. Raises StatusError 400."""
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 1e9:
            raise bad_request("advance is a number of seconds, 0 or more")
        if self.controllers is not None:
            self.controllers.advance(float(seconds))

    async def answer(self, call: Call) -> Reply:
        """Answers a call below /sandbox. Raises StatusError."""
        handler = _HANDLERS.get((call.method, call.path.removeprefix(PREFIX).strip("/")))
        if handler is None:
            known = any(path == call.path.removeprefix(PREFIX).strip("/") for _, path in _HANDLERS)
            raise method_not_allowed() if known else path_not_found()
        body = await call.read()
        return Reply.json(handler(self, bodies.read_json(body) if body else None))


def _add_faults(control: Control, body: Any) -> Json:
    control.faults.add(*(body if isinstance(body, list) else [body]))
    return control.faults.listed()


def _clear_faults(control: Control, body: Any) -> Json:
    control.faults.clear()
    return control.faults.listed()


def _keep_requests(control: Control, body: Any) -> Json:
    control.log.resize(body.get("keep") if isinstance(body, dict) else None)
    return control.log.listed()


def _clear_requests(control: Control, body: Any) -> Json:
    control.log.clear()
    return control.log.listed()


def _forget(control: Control, body: Any) -> Json:
    control.api.store.forget()
    return control.facts()


def _advance(control: Control, body: Any) -> Json:
    control.advance(body.get("advance") if isinstance(body, dict) else None)
    return control.facts()


_HANDLERS: dict[tuple[str, str], Callable[[Control, Any], Json]] = {
    ("GET", ""): lambda control, body: control.facts(),
    ("GET", "faults"): lambda control, body: control.faults.listed(),
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "requests"): lambda control, body: control.log.listed(),
    ("POST", "requests"): _keep_requests,
    ("DELETE", "requests"): _clear_requests,
    ("DELETE", "watches"): lambda control, body: {"dropped": control.drop_watches()},
    ("DELETE", "history"): _forget,
    ("POST", "clock"): _advance,
}
