"""Faults on demand: what should go wrong, for which requests, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sbkube.sandbox.status import MODIFIED, StatusError, bad_request

Json = dict[str, Any]
_REASONS = {
    403: ("Forbidden", "forbidden by a fault"),
    409: ("Conflict", f"Operation cannot be fulfilled: {MODIFIED}"),
    422: ("Invalid", "invalid by a fault"),
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: a fault"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}  # fmt: skip
CUTS = ("before", "after", "body")


@dataclass(slots=True)
class Fault:
    """One fault. Empty `verb`, `kind` (a Kind or a plural), `name`, `namespace` match all.

    `status`: answer this code (with `retry_after` seconds); `latency`: wait so many seconds first; `cut`: drop the
    connection `before` acting, `after` acting, or in mid `body` of the answer; `times`: how often (0: always).
    `dry_run` limits it to dry runs, as webhooks with side effects refuse only those.
    """

    verb: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: int = 0
    message: str = ""
    retry_after: int = 0
    latency: float = 0.0
    cut: str = ""
    times: int = 1
    dry_run: bool = False

    def matches(self, verb: str, kind: tuple[str, ...], namespace: str, name: str, dry_run: bool) -> bool:
        """Whether this request is meant."""
        return (
            self.verb in ("", verb)
            and (not self.kind or self.kind in kind)
            and self.namespace in ("", namespace)
            and self.name in ("", name)
            and (dry_run or not self.dry_run)
        )

    def error(self) -> StatusError:
        """The refusal it asks for."""
        reason, message = _REASONS.get(self.status, ("", "a fault"))
        found = StatusError(self.status, reason, self.message or message, {})
        if self.retry_after:
            found.headers["Retry-After"] = str(self.retry_after)
            found.details = {"retryAfterSeconds": self.retry_after}
        return found


class Faults:
    """The faults waiting to happen, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, raw: Json) -> None:
        """Adds one from JSON. Raises StatusError 400 for unknown members."""
        unknown = set(raw) - set(Fault.__slots__)
        if unknown or raw.get("cut", "") not in ("", *CUTS):
            raise bad_request(f"unknown members of a fault: {', '.join(sorted(unknown)) or 'cut'}")
        self.waiting.append(Fault(**raw))

    def clear(self) -> None:
        """Forgets all."""
        self.waiting.clear()

    def take(self, verb: str, kind: tuple[str, ...], namespace: str, name: str, dry_run: bool) -> Fault | None:
        """The fault that this request meets; counts it as used."""
        for fault in self.waiting:
            if fault.matches(verb, kind, namespace, name, dry_run):
                if fault.times == 1:
                    self.waiting.remove(fault)
                elif fault.times:
                    fault.times -= 1
                return fault
        return None
