"""Where a project is deployed to, and where that is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.errors import UsageError

if TYPE_CHECKING:
    from sbkube.edges.sandbox import Sandbox

SANDBOX_DIR = ".sbkube/sandbox"


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster and which state database a project is opened with; None means: as the project says.

    `same_project` confirms that this folder is where the project's newest deployment came from, though it looks
    otherwise; without that nothing is pruned. `locked` refuses any change of sbkube.lock; `offline` fetches
    nothing. `force_conflicts` consents to taking fields of other field managers. `sandbox_of` is the folder whose
    sandbox it is, where that is not the project's own: projects that are part of another share its.
    """

    kubeconfig: str | None = None
    context: str | None = None
    sandbox: bool = False
    sandbox_of: Path | None = None
    state_url: str | None = None
    no_cluster_lock: bool = False
    locked: bool = False
    offline: bool = False
    same_project: bool = False
    force_conflicts: bool = False


HERE = Where()


def state_url(option: str | None, environ: Mapping[str, str], setting: str | None) -> str | None:
    """`--state-url`, then `SBKUBE_STATE_URL`, then `settings.state.url`, then the default (None)."""
    return option or environ.get("SBKUBE_STATE_URL") or setting


def lock_seconds(environ: Mapping[str, str]) -> int:
    """How long a deployment lock lives without a heartbeat: `SBKUBE_LOCK_SECONDS`, 30 when not given.

    A short one suits tests, a long one a slow connection. Raises UsageError unless it is a whole number from 2 to
    3600.
    """
    text = environ.get("SBKUBE_LOCK_SECONDS") or "30"
    if not text.isdecimal() or not 2 <= int(text) <= 3600:
        raise UsageError(f"SBKUBE_LOCK_SECONDS is {text!r}", hint="a whole number of seconds from 2 to 3600")
    return int(text)


def sandbox(folder: str | Path = ".", own: str | Path | None = None) -> Sandbox:
    """The sandbox that belongs to a folder, or the one whose `own` folder is named."""
    from sbkube.edges.sandbox import Sandbox

    return Sandbox(Path(own) if own else Path(folder) / SANDBOX_DIR)
