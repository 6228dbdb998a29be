"""Faults on demand: what should go wrong, for which requests, and how often.

A fault is a JSON object. Over HTTP it is posted to `/sandbox/faults` with the sandbox's token (one fault, or a
list of them; GET lists what waits, DELETE forgets all); in process it is an argument of `InProcess.add_faults`. A
request meets the first waiting fault that matches it. Members, all optional:

Which requests (text patterns with `*`, `?` and `[...]`, or a list of them; left out: all):
    verb         get, list, watch, create, update, patch, delete, deletecollection; an apply is a patch
    kind         a kind (`ConfigMap`), its plural (`configmaps`) or its resource (`deployments.apps`)
    namespace, name
                 of the path; a create is matched by the name in its body
    subresource  `status`, `scale`, …; `-` for requests to the object itself
    agent        the User-Agent header; `manager`: the field manager
    path         the URL path without query; the only one that also matches requests that are for no resource
                 (`/version`, `/openapi/*`, `/apis*`)
    dry_run      true: only dry runs (as webhooks with side effects refuse those), false: only others

How often:
    times        for so many matching requests (1); 0: until it is taken away
    skip         after letting the first N matching requests pass (0)

What happens (several may be combined; waiting comes first):
    latency      seconds to wait before acting, and `answer_latency`: between acting and answering
    status       answer this code and do nothing; a watch gets 410, and everything that comes after_events, as an
                 ERROR event
    reason, message
                 instead of those that the API server has for the code
    retry_after  seconds, as the header `Retry-After` and in the Status
    cut          drop the connection: `before` acting, `after` acting (it is stored, the answer is lost), or in the
                 mid `body` of the answer; a watch is dropped after its headers
    after_events for a watch: let so many events pass before `status` or `cut`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from sbkube.sandbox import status as statuses
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.status import MODIFIED, StatusError, bad_request

Json = dict[str, Any]
Patterns = tuple[str, ...]
CUTS = ("before", "after", "body")
_DRY_RUN = 'admission webhook "sandbox" does not support dry run'
_TEXTS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", f"Operation cannot be fulfilled: {MODIFIED}"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    413: ("RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: simulated fault"),
    502: ("", "bad gateway"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}


@dataclass(frozen=True, slots=True)
class Met:
    """A request as faults see it; `kind` is None when it is for no resource."""

    path: str
    verb: str
    kind: Kind | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    agent: str = ""
    manager: str = ""
    dry_run: bool = False


@dataclass(slots=True)
class Fault:
    """One fault; the module's text says what its members mean."""

    verb: Patterns = ()
    kind: Patterns = ()
    namespace: Patterns = ()
    name: Patterns = ()
    subresource: Patterns = ()
    agent: Patterns = ()
    manager: Patterns = ()
    path: Patterns = ()
    dry_run: bool | None = None
    times: int = 1
    skip: int = 0
    status: int = 0
    reason: str = ""
    message: str = ""
    retry_after: int = 0
    latency: float = 0.0
    answer_latency: float = 0.0
    cut: str = ""
    after_events: int = 0

    @staticmethod
    def of(raw: Any) -> Fault:
        """From JSON. Raises StatusError 400 that names the first member that is wrong."""
        if not isinstance(raw, dict):
            raise bad_request("a fault is a JSON object")
        known = {f.name: f.type for f in fields(Fault)}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise bad_request(f"unknown members of a fault: {', '.join(unknown)}; known are {', '.join(known)}")
        return Fault(**{name: _READERS[str(known[name])](name, value) for name, value in raw.items()})

    def matches(self, met: Met) -> bool:
        """Whether this request is meant."""
        if met.kind is None and not self.path:
            return False
        kind = met.kind
        names = (kind.kind, kind.plural, kind.resource) if kind else ("",)
        return (
            self.dry_run in (None, met.dry_run)
            and _fits(self.verb, met.verb)
            and (not self.kind or any(_fits(self.kind, name) for name in names))
            and _fits(self.namespace, met.namespace)
            and _fits(self.name, met.name)
            and _fits(self.subresource, met.subresource or "-")
            and _fits(self.agent, met.agent)
            and _fits(self.manager, met.manager)
            and _fits(self.path, met.path)
        )

    def error(self, met: Met) -> StatusError:
        """The refusal it asks for, in the server's words where `message` has none."""
        found = _refusal(self, met)
        found.message, found.reason = self.message or found.message, self.reason or found.reason
        if self.retry_after:
            found.headers["Retry-After"] = str(self.retry_after)
            found.details = {**(found.details or {}), "retryAfterSeconds": self.retry_after}
        return found


def _fits(patterns: Patterns, value: str) -> bool:
    return not patterns or any(fnmatchcase(value, p) for p in patterns)


def _refusal(fault: Fault, met: Met) -> StatusError:
    code, kind = fault.status, met.kind
    if code == 400 and fault.dry_run:
        return bad_request(_DRY_RUN)
    if kind is not None and code == 403:
        scope = f' in the namespace "{met.namespace}"' if met.namespace else " at the cluster scope"
        what = f'User "sandbox" cannot {met.verb} resource "{kind.plural}" in API group "{kind.group}"'
        return statuses.forbidden(kind, met.name, what + scope)
    if kind is not None and code == 404 and met.name:
        return statuses.not_found(kind, met.name)
    if kind is not None and code == 409 and fault.reason == "AlreadyExists":
        return statuses.already_exists(kind, met.name)
    if kind is not None and code == 409:
        return statuses.conflict(kind, met.name, MODIFIED)
    if kind is not None and code == 422:
        cause = statuses.Cause("FieldValueInvalid", fault.message or "Invalid value: simulated fault", "spec")
        return statuses.invalid(kind, met.name, [cause])
    reason, message = _TEXTS.get(code, ("", "simulated fault"))
    return StatusError(code, reason, message, {})


def _patterns(name: str, value: Any) -> Patterns:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in found):
        raise bad_request(f"{name} of a fault is a text or a list of texts")
    return tuple(v for v in found if v)


def _number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise bad_request(f"{name} of a fault is a whole number, 0 or more")
    if name == "status" and value and not 400 <= value <= 599:
        raise bad_request("status of a fault is an HTTP code between 400 and 599")
    return value


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 3600:
        raise bad_request(f"{name} of a fault is a number of seconds between 0 and 3600")
    return float(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or (name == "cut" and value not in ("", *CUTS)):
        raise bad_request(f"{name} of a fault is {'one of ' + ', '.join(CUTS) if name == 'cut' else 'a text'}")
    return value


def _choice(name: str, value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name} of a fault is true or false")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "Patterns": _patterns,
    "int": _number,
    "float": _seconds,
    "str": _text,
    "bool | None": _choice,
}


class Faults:
    """The faults waiting to happen, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.met = 0

    def add(self, *raw: Any) -> None:
        """Adds faults given as JSON; all or none. Raises StatusError 400."""
        self.waiting += [Fault.of(one) for one in raw]

    def clear(self) -> None:
        """Forgets all."""
        self.waiting.clear()

    def take(self, met: Met) -> Fault | None:
        """The fault that this request meets; counts it as used."""
        for fault in self.waiting:
            if not fault.matches(met):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            self.met += 1
            if fault.times == 1:
                self.waiting.remove(fault)
            elif fault.times:
                fault.times -= 1
            return fault
        return None

    def listed(self) -> Json:
        """What waits (with what is left of `times` and `skip`), and how many requests met a fault so far."""
        shown = [{k: v for k, v in asdict(f).items() if v or v is False or k == "times"} for f in self.waiting]
        return {"waiting": len(self.waiting), "met": self.met, "faults": shown}
