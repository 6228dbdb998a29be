"""One read tells what became of an intent: who owns the fields decides, not whether values happen to be equal."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from sbkube.engine import resume
from sbkube.engine.actions import ACTIONS
from sbkube.engine.recover import RULES, settle_object
from sbkube.engine.settling import HELM_RULES
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterUnreachable
from sbkube.models.deployment_state import ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.plan import Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan.labels import MANAGER

KEY = ResourceKey("", "v1", "ConfigMap", "shop", "a")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Json = dict[str, Any]


def wanted(**data: str) -> Json:
    """The manifest that was to be applied."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": data}


def live(
    data: Mapping[str, str], *, by: str = MANAGER, version: str = "2", uid: str = "u1", time: str = "12:00:00"
) -> Json:
    """An object all of whose data one manager owns."""
    body = wanted(**data)
    fields = {"f:data": {f"f:{name}": {} for name in data}}
    operation = "Apply" if by == MANAGER else "Update"
    stamp = f"2026-05-01T{time}Z"
    entry = {"manager": by, "operation": operation, "time": stamp, "fieldsV1": fields}
    body["metadata"] |= {"uid": uid, "resourceVersion": version, "managedFields": [entry]}
    return body


class Cluster:
    """One object, and an apply that takes what it names from everybody else."""

    def __init__(self, found: Json | None) -> None:
        self.found = found

    def get(self, _: ResourceKey) -> Json | None:
        return copy.deepcopy(self.found)

    def dry_run_apply(self, body: Mapping[str, Any], *, manager: str, force: bool) -> Json:
        assert self.found is not None and force
        would = copy.deepcopy(self.found)
        ours = {f"f:{name}": {} for name in body["data"]}
        entries = would["metadata"]["managedFields"]
        mine = next((e for e in entries if e["manager"] == manager), None)
        gone = set((mine or {}).get("fieldsV1", {}).get("f:data", {})) - set(ours)
        would["data"] = {k: v for k, v in would["data"].items() if f"f:{k}" not in gone} | dict(body["data"])
        others = [e for e in entries if e is not mine]
        entry = {"manager": manager, "operation": "Apply", "time": "later", "fieldsV1": {"f:data": ours}}
        would["metadata"]["managedFields"] = [*others, entry]
        return would


class Clock:
    def now(self) -> datetime:
        return NOW


class World:
    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.clock = Clock()


def row(verb: Verb, intent: Json | None, before: Json | None = None) -> ResourceRecord:
    """An open intent, planned against `before`."""
    meta = (before or {}).get("metadata") or {}
    return ResourceRecord(
        id=1,
        app_name="app",
        operation="app/op",
        key=KEY,
        verb=verb.value,
        state=OpState.INTENDED,
        intent=intent,
        before=before,
        uid=meta.get("uid", ""),
        resource_version_before=meta.get("resourceVersion", ""),
        started_at=NOW,
    )


def became(record: ResourceRecord, found: Json | None) -> OpState:
    """What the object tells."""
    return settle_object(record, cast(Surroundings, World(Cluster(found)))).state


OLD = live({"x": "1"}, version="1", time="11:00:00")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, OpState.ABANDONED),
        (live({"x": "2"}), OpState.APPLIED),
        (live({"x": "3"}), OpState.APPLIED),  # ours, and changed since
        (live({"x": "2"}, by="kubectl-create"), OpState.SUPERSEDED),  # the same, but somebody else's
    ],
)
def test_a_new_object(found: Json | None, state: OpState) -> None:
    assert became(row(Verb.APPLY, wanted(x="2")), found) is state


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (OLD, OpState.ABANDONED),
        (live({"x": "1"}, version="7", time="11:00:00"), OpState.ABANDONED),  # only its status has moved
        (live({"x": "2"}), OpState.APPLIED),
        (live({"x": "2"}, by="kubectl-edit"), OpState.SUPERSEDED),
        (live({"x": "9"}, by="kubectl-edit"), OpState.SUPERSEDED),
        (live({"x": "2"}, uid="u2"), OpState.SUPERSEDED),
        (None, OpState.SUPERSEDED),
    ],
)
def test_a_changed_object(found: Json | None, state: OpState) -> None:
    assert became(row(Verb.APPLY, wanted(x="2"), OLD), found) is state


def test_what_was_done_and_changed_since_is_recorded_as_we_left_it() -> None:
    outcome = settle_object(
        row(Verb.APPLY, wanted(x="2", y="2"), OLD),
        cast(Surroundings, World(Cluster(live({"x": "2", "y": "edited"}, time="12:00:01")))),
    )
    assert outcome.state is OpState.APPLIED
    assert outcome.after is not None and outcome.after["data"] == {"x": "2", "y": "2"}
    assert "changed" in outcome.message


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (OLD, OpState.ABANDONED),
        (None, OpState.APPLIED),
        (live({"x": "1"}, uid="u2"), OpState.APPLIED),  # the planned one is gone, whoever made the other
    ],
)
def test_a_deletion(found: Json | None, state: OpState) -> None:
    assert became(row(Verb.DELETE, None, OLD), found) is state


def test_a_recreation_cut_in_half_has_no_object_afterwards() -> None:
    outcome = settle_object(row(Verb.RECREATE, wanted(x="2"), OLD), cast(Surroundings, World(Cluster(None))))
    assert (outcome.state, outcome.after) == (OpState.APPLIED, None)
    assert became(row(Verb.RECREATE, wanted(x="2"), OLD), OLD) is OpState.ABANDONED
    assert became(row(Verb.RECREATE, wanted(x="2"), OLD), live({"x": "2"}, uid="u2")) is OpState.APPLIED
    other = live({"x": "2"}, uid="u2", by="kubectl-create")
    assert became(row(Verb.RECREATE, wanted(x="2"), OLD), other) is OpState.SUPERSEDED


def test_what_was_put_back_is_told_from_what_somebody_made() -> None:
    assert became(row(Verb.CREATE, wanted(x="2")), live({"x": "2"})) is OpState.APPLIED
    assert became(row(Verb.CREATE, wanted(x="2")), live({"x": "2"}, by="helm")) is OpState.SUPERSEDED
    assert became(row(Verb.CREATE, wanted(x="2")), None) is OpState.ABANDONED


def test_labels() -> None:
    intent = {"metadata": {"labels": {"a": "b"}}}
    labelled = copy.deepcopy(OLD)
    labelled["metadata"]["labels"] = {"a": "b"}
    assert became(row(Verb.LABEL, intent, OLD), labelled) is OpState.APPLIED
    assert became(row(Verb.LABEL, intent, OLD), OLD) is OpState.ABANDONED


def test_an_unreachable_cluster_settles_nothing() -> None:
    class Gone(Cluster):
        def get(self, _: ResourceKey) -> Json | None:
            raise ClusterUnreachable("no route")

    with pytest.raises(ClusterUnreachable):
        settle_object(row(Verb.APPLY, wanted(x="2")), cast(Surroundings, World(Gone(None))))


def test_without_the_key_ownership_tells() -> None:
    hidden = row(Verb.APPLY, None, OLD)
    assert became(hidden, live({"x": "2"}, time="12:00:01")) is OpState.APPLIED
    assert became(hidden, live({"x": "1"}, version="7", time="11:00:00")) is OpState.ABANDONED


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb.writes])
def test_every_verb_can_be_done_settled_and_gone_on_with(verb: Verb) -> None:
    assert verb in ACTIONS
    assert verb in (HELM_RULES if verb.helm else RULES)
    assert verb.helm or verb is Verb.RUN or verb in resume.RULES


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (OLD, OpState.ABANDONED),
        (live({"x": "1"}, by="kubectl-create"), OpState.APPLIED),
        (live({"x": "1"}, uid="u2"), OpState.SUPERSEDED),
        (None, OpState.SUPERSEDED),
    ],
)
def test_what_was_given_back_owns_nothing_of_ours_any_more(found: Json | None, state: OpState) -> None:
    assert became(row(Verb.GIVE_BACK, wanted(), OLD), found) is state
