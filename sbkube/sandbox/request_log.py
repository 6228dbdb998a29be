"""What was asked of the server and what came of it; kept only while somebody wants it.

Over HTTP: `POST /sandbox/requests {"keep": N}` keeps the last N requests from then on (0: none, the usual
state), `GET /sandbox/requests` gives `{"keep", "seen", "requests": [...]}`, `DELETE` forgets them. An entry
has `at` (time), `seconds`, `method`, `path`, `query`, `verb`, `kind`, `namespace`, `name`, `subresource`,
`agent`, `manager`, `dry_run`, `status` (0: the client saw none) and `outcome`: `answered`, `cut before`, `cut
after`, `cut body`, `watching` or `gone` (the client went away). Bodies are not kept.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sbkube.sandbox.faults import Met
from sbkube.sandbox.status import bad_request

Json = dict[str, Any]
MOST = 100_000


@dataclass(slots=True)
class Entry:
    """One request; `status` and `outcome` are filled when it ends."""

    method: str
    query: str
    met: Met
    begun: float
    status: int = 0
    outcome: str = "gone"
    seconds: float = 0.0

    def shown(self) -> Json:
        """As JSON."""
        met, kind = self.met, self.met.kind
        at = datetime.fromtimestamp(self.begun, UTC).isoformat(timespec="milliseconds")
        return {
            "at": at.replace("+00:00", "Z"), "seconds": round(self.seconds, 6), "method": self.method,
            "path": met.path, "query": self.query, "verb": met.verb, "kind": kind.kind if kind else "",
            "namespace": met.namespace, "name": met.name, "subresource": met.subresource, "agent": met.agent,
            "manager": met.manager, "dry_run": met.dry_run, "status": self.status, "outcome": self.outcome,
        }  # fmt: skip


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=0)
        self._seen = 0

    @property
    def keep(self) -> int:
        """How many are kept; 0: none."""
        return self._entries.maxlen or 0

    def resize(self, keep: Any) -> None:
        """Keeps the last `keep` requests from now on. Raises StatusError 400."""
        if isinstance(keep, bool) or not isinstance(keep, int) or not 0 <= keep <= MOST:
            raise bad_request(f"keep is a whole number between 0 and {MOST}")
        self._entries = deque(self._entries, maxlen=keep)

    def clear(self) -> None:
        """Forgets all."""
        self._entries.clear()
        self._seen = 0

    def begin(self, method: str, query: str, met: Met) -> Entry:
        """Takes a request in as it arrives."""
        entry = Entry(method, query, met, time.time())
        self._entries.append(entry)
        self._seen += 1
        return entry

    @staticmethod
    def end(entry: Entry, status: int, outcome: str) -> None:
        """Writes down how it ended."""
        entry.status, entry.outcome = status, outcome
        entry.seconds = time.time() - entry.begun

    def listed(self) -> Json:
        """Everything kept; `seen` counts also what no longer is."""
        return {"keep": self.keep, "seen": self._seen, "requests": [e.shown() for e in self._entries]}
