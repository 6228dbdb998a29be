"""When the record fails after the first write: what is known is written to a file that can be imported later."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.errors import RecordLost, StateError
from sbkube.models.deployment_state import DeploymentDetail
from sbkube.models.outcome import Outcome

if TYPE_CHECKING:
    from sbkube.engine.execute import Run
    from sbkube.state.tracker import DeploymentTracker


def read_back(ledger: DeploymentTracker, run: Run) -> DeploymentDetail:
    """The record of a run that has ended, without images; a database that fails now fails after the first write:
    RecordLost."""
    name = run.record.deployment_id
    try:
        return ledger.detail(name, images=False)
    except StateError as error:
        raise RecordLost(
            f"the deployment ended as {run.record.status}, but its record cannot be read: {error.message}",
            outcomes=run.outcomes,
            deployment=name,
        ) from error


def dump(error: RecordLost, ledger: DeploymentTracker) -> str:
    """Write outcomes that the database may lack beside it, else to the temporary folder, else to stderr.

    `sbkube state import` reads the file. Images are in it only under the state key.
    """
    outcomes = [outcome for outcome in error.outcomes if isinstance(outcome, Outcome)]
    text = json.dumps(ledger.dump_outcomes(error.deployment, outcomes), indent=1, default=str)
    name = f"sbkube-outcomes-{error.deployment}.json"
    for folder in (ledger.folder(), Path(tempfile.gettempdir())):
        if folder is None:
            continue
        path = folder / name
        try:
            path.touch(mode=0o600)
            path.write_text(text)
        except OSError:
            continue
        return str(path)
    sys.stderr.write(text + "\n")
    return "the lines above"
