"""Deployments as a table that fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.report.ink import Ink
from sbkube.report.layout import age, between, columns, plural
from sbkube.report.theme import DEPLOYMENTS

_HEAD = ("ID", "STATUS", "COMMAND", "PROJECT", "CLUSTER", "AGE", "TOOK", "CHANGES")
_SPARE = ("COMMAND", "TOOK", "CHANGES", "CLUSTER", "AGE", "PROJECT")  # what is left out first


def word(status: DeploymentStatus, ink: Ink) -> str:
    """The status in its colour, as people write it."""
    text = "partly failed" if status is DeploymentStatus.PARTIALLY_FAILED else status.value.replace("_", " ")
    return _painted(text, status, ink)


def _painted(text: str, status: DeploymentStatus, ink: Ink) -> str:
    return ink.paint(text, DEPLOYMENTS[status][1])


def fate(record: DeploymentRecord, ink: Ink) -> str:
    """The status, and whether it was rolled back since: `rolled back`, or `failed, undone`."""
    if not record.rolled_back_by:
        resumed = f", {_painted('resumed', DeploymentStatus.SUCCESS, ink)}" if record.resumed_by else ""
        return word(record.status, ink) + resumed
    if record.status is DeploymentStatus.SUCCESS:
        return word(DeploymentStatus.ROLLED_BACK, ink)
    return f"{word(record.status, ink)}, {_painted('undone', DeploymentStatus.ROLLED_BACK, ink)}"


def changes(counts: Mapping[str, int]) -> str:
    """Objects as `+2 ~1 -3`, those of releases too; what is zero is left out. Where no object was changed, the
    releases and commands that were all the same, else `none`."""
    marks = (("create", "+"), ("change", "~"), ("recreate", "±"), ("delete", "-"))
    objects = " ".join(f"{mark}{counts[name]}" for name, mark in marks if counts.get(name))
    others = ((counts.get("releases", 0), "release"), (counts.get("commands", 0), "command"))
    return objects or ", ".join(plural(count, noun) for count, noun in others if count) or "none"


def table(records: Sequence[DeploymentRecord], *, ink: Ink, width: int = 80, now: datetime | None = None) -> str:
    """One line per deployment in the order given. Project, namespace and cluster show only where they differ; on
    a narrow terminal columns are left out, and an id is never cut."""
    if not records:
        return "No deployments are recorded."
    projects = len({(r.project, r.namespace) for r in records}) > 1
    named = {(r.project, r.namespace) for r in records if r.project}
    namespaces = len(named) > len({project for project, _ in named})
    clusters = len({r.cluster for r in records}) > 1
    rows = [
        (
            record.deployment_id,
            fate(record, ink),
            record.command,
            _project(record, namespaces) if projects else "",
            record.cluster if clusters else "",
            age(record.created_at, now),
            between(record.created_at, record.ended_at),
            changes(record.counts),
        )
        for record in records
    ]
    cut = ("PROJECT", "CLUSTER")
    return "\n".join(columns(_HEAD, rows, ink=ink, width=width, flexible=cut, least=12, spare=_SPARE))


def _project(record: DeploymentRecord, namespaces: bool) -> str:
    """The project's name; its namespace where there is no name, or where projects of one name differ by it."""
    named = f"{record.namespace}/{record.project}" if namespaces else record.project
    return named if record.project else record.namespace
