"""The care of a state database: schema, proof, keys, export and import. Needs neither project nor cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.api.where import state_url
from sbkube.errors import UsageError

if TYPE_CHECKING:
    from sbkube.state.census import Info
    from sbkube.state.pruning import Pruned
    from sbkube.state.rekey import Rekeyed
    from sbkube.state.tracker import DeploymentTracker
    from sbkube.state.transfer import Exported, Imported
    from sbkube.state.unrecorded import Recovered
    from sbkube.state.verify import Verdict

Progress = Callable[[int, int], None]


@contextmanager
def opened(url: str | None) -> Iterator[DeploymentTracker]:
    """The state database that a command line means: the option, else the environment, else the default."""
    from sbkube.state.tracker import DeploymentTracker

    ledger = DeploymentTracker(state_url(url, os.environ, None))
    try:
        yield ledger
    finally:
        ledger.close()


def upgrade_state(url: str | None = None) -> str:
    """Bring a state database to the newest schema; gives its place without password. Raises StateError."""
    from sbkube.state.database import DeploymentDatabase

    DeploymentDatabase.upgrade(state_url(url, os.environ, None), os.environ)
    with opened(url) as ledger:
        return ledger.describe()


def verify_state(url: str | None = None, progress: Progress | None = None) -> Verdict:
    """Whether the recorded history is the one that was recorded. `progress` gets deployments done and in all."""
    with opened(url) as ledger:
        return ledger.verify(progress=progress)


def new_state_key() -> str:
    """A new value for `SBKUBE_STATE_KEY`."""
    from sbkube.state.secrets import new_key_text

    return new_key_text()


def export_state(file: str | Path, url: str | None = None, progress: Progress | None = None) -> Exported:
    """Write a whole state database into a new file. `progress` gets items done and items in all."""
    with opened(url) as ledger:
        return ledger.export_to(Path(file), progress)


def import_state(
    file: str | Path, url: str | None = None, progress: Progress | None = None
) -> Imported | Recovered:
    """Merge what `export_state` wrote, or record what a run with exit code 6 left in a file.

    Raises StateError for a damaged file, with nothing changed.
    """
    path = Path(file)
    try:
        with path.open("rb") as stream:
            outcomes = stream.read(1) == b"{"
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    with opened(url) as ledger:
        return ledger.import_outcomes(path.read_bytes()) if outcomes else ledger.import_from(path, progress)


def rekey_state(url: str | None = None) -> Rekeyed:
    """Encrypt everything under a new state key: the first one of `SBKUBE_STATE_KEY`, else a new one for the key
    file. Raises StateError, with nothing changed, where an old key is missing."""
    from sbkube.state.rekey import rotate

    return rotate(state_url(url, os.environ, None), os.environ)


def prune_state(
    url: str | None = None, *, keep: int | None = None, before: datetime | None = None, dry_run: bool = False
) -> Pruned:
    """Forget all but the newest `keep` deployments of each project, or those that began before an aware time (with
    both: what is old by both); never what inventory or rollback need."""
    from sbkube.state.pruning import Rule

    with opened(url) as ledger:
        return ledger.prune(Rule(keep, before), dry_run=dry_run)


def state_info(url: str | None = None) -> Info:
    """Place, size, schema, keys and counts of a state database."""
    with opened(url) as ledger:
        return ledger.info()
