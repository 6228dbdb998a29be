"""When the record fails after the first write: what is known is written to a file that can be imported later."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.errors import RecordLost, StateError
from sbkube.models.deployment_state import DeploymentDetail
from sbkube.models.outcome import Outcome

if TYPE_CHECKING:
    from sbkube.engine.execute import Run


def read_back(detail: Callable[[str], DeploymentDetail], run: Run) -> DeploymentDetail:
    """The record of a run that has ended; a database that fails now fails after the first write: RecordLost."""
    name = run.record.deployment_id
    try:
        return detail(name)
    except StateError as error:
        raise RecordLost(
            f"the deployment ended as {run.record.status}, but its record cannot be read: {error.message}",
            outcomes=run.outcomes,
            deployment=name,
        ) from error


def dump(error: RecordLost, beside: Path | None) -> str:
    """Write outcomes that the database may lack beside it, else to the temporary folder, else to stderr."""
    document = {
        "schema": "sbkube/outcomes/v1",
        "deployment": error.deployment,
        "outcomes": [_plain(o) for o in error.outcomes if isinstance(o, Outcome)],
    }
    text = json.dumps(document, indent=1, default=str)
    name = f"sbkube-outcomes-{error.deployment}.json"
    for folder in (beside, Path(tempfile.gettempdir())):
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


def _plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome without images (they may hold secrets), but with what identifies them."""
    after = (outcome.after or {}).get("metadata") or {}
    bare = replace(outcome, before=None, after=None, release=None, previous=None, objects=())
    return {
        **{k: v for k, v in asdict(bare).items() if v},
        "uid": after.get("uid"),
        "resource_version": after.get("resourceVersion"),
        "revision": outcome.release.revision if outcome.release else None,
    }
