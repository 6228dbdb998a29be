"""What the API server may do to any request: late, refused, busy, broken, cut off. At every verb and phase.

Whatever happens, the work ends as promised or stops with a true record; exit codes 2 to 5 mean that nothing was
touched; the output is one JSON document that agrees with the database; and the next run, without faults, succeeds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from faults import agreement
from faults.conftest import Tally
from faults.kills import SCENARIOS, whole, without_hooks
from faults.length import long_or_short, note, spread
from faults.stage import Case, Stage

Json = dict[str, Any]

# Phase of the work → which requests.
WHERE: dict[str, Json] = {
    "identity": {"verb": "get", "kind": "Namespace"},
    "discovery": {"path": "/apis"},
    "version": {"path": "/version"},
    "openapi": {"path": "/openapi/v3*"},
    "read": {"verb": "get", "kind": "ConfigMap"},
    "read a workload": {"verb": "get", "kind": "Deployment"},
    "list": {"verb": "list", "kind": "ConfigMap"},
    "list releases": {"verb": "list", "kind": "Secret"},
    "dry run": {"verb": "patch", "kind": "ConfigMap", "dry_run": True},
    "read the lease": {"verb": "get", "kind": "Lease"},
    "take the lease": {"verb": "update", "kind": "Lease"},
    "apply": {"verb": "patch", "kind": "ConfigMap", "dry_run": False},
    "apply a secret": {"verb": "patch", "kind": "Secret", "dry_run": False},
    "apply a workload": {"verb": "patch", "kind": "Deployment", "dry_run": False},
    "prune": {"verb": "delete", "kind": "ConfigMap"},
    "watch": {"verb": "watch", "kind": "Deployment"},
    "watch pods": {"verb": "list", "kind": "Pod"},
    "helm: begin": {"verb": "create", "kind": "Secret"},
    "helm: end": {"verb": "update", "kind": "Secret"},
    "helm: hook": {"verb": "create", "kind": "Job"},
    "helm: watch a hook": {"verb": "watch", "kind": "Job"},
    "helm: drop a hook": {"verb": "delete", "kind": "Job"},
}
WHAT: dict[str, Json] = {
    "late": {"latency": 0.4},
    "409": {"status": 409},
    "422": {"status": 422},
    "429": {"status": 429, "retry_after": 1},
    "500": {"status": 500},
    "503": {"status": 503},
    "cut before": {"cut": "before"},
    "cut after": {"cut": "after"},
    "cut during": {"cut": "body"},
}
FOR_GOOD = ("500", "cut after")


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault in one scenario. `times` 0: it stays for the whole run."""

    scenario: str
    where: str
    what: str
    times: int

    @property
    def fault(self) -> Json:
        """As the sandbox takes it."""
        return {**WHERE[self.where], **WHAT[self.what], "times": self.times}

    def __str__(self) -> str:
        return f"{self.scenario}, {self.where}, {self.what}{'' if self.times else ' each time'}"


def _all() -> list[Trial]:
    once = [Trial("apply", where, what, 1) for where in WHERE for what in WHAT]
    lasting = [Trial("apply", where, what, 0) for where in WHERE for what in FOR_GOOD]
    others = [
        Trial(name, where, what, 1)
        for name in ("rollback", "delete")
        for where in ("read", "dry run", "take the lease", "apply", "prune", "helm: begin", "helm: end")
        for what in ("409", "500", "cut after")
    ]
    return [*once, *lasting, *others]


def _touched(case: Case) -> dict[str, str]:
    """Identity and version of everything that a deployment could touch, Helm's records included."""
    found = {}
    for obj in case.settled():
        kind, namespace, name = agreement.identity(obj)
        if namespace == "shop" and kind not in {"Lease", "Event"}:
            found[f"{kind}/{name}"] = f"{obj['metadata']['uid']} {json.dumps(obj.get('data') or obj.get('spec'))}"
    return found


def _look(case: Case, before: dict[str, str], known: set[str], code: int, out: str, err: str) -> list[str]:
    """What is wrong with the end of a run that met a fault."""
    if code not in (0, 1, 2, 3, 4, 5, 130):
        return [f"exit {code}: {err[-1500:]}"]
    bad = []
    try:
        document = json.loads(out)
    except ValueError:
        return [f"exit {code}, and standard output is no JSON document: {out[-300:]}"]
    objects = case.settled()
    with case.tracker() as tracker:
        url = str(tracker.database.location.url)
        bad += agreement.record_is_closed(url, tracker, objects)
        for name in case.projects:
            bad += agreement.record_and_cluster(tracker, objects, agreement.target(objects, name))
        new = [d for d in tracker.list_deployments(limit=100) if d.deployment_id not in known]
    if 2 <= code <= 5 and _touched(case) != before:
        changed = {k for k in before.keys() | _touched(case).keys() if before.get(k) != _touched(case).get(k)}
        bad.append(f"exit {code} promises that nothing was touched, but {', '.join(sorted(changed))} was")
    if code in (0, 1) and "exit_code" in document and document["exit_code"] != code:
        bad.append(f"exit {code}, the document says {document['exit_code']}")
    if code in (0, 1) and new:
        statuses = {d.status.value for d in new}
        if (statuses == {"success"}) != (code == 0):
            bad.append(f"exit {code}, the record says {', '.join(statuses)}")
    return bad


def _settled(case: Case, code: int, out: str) -> list[str]:
    """Where nothing could be read any more nobody knows what came of a request. A run that says so is looked at
    when the server answers again."""
    try:
        interrupted = json.loads(out)["deployment"]["status"] == "interrupted"
    except (KeyError, TypeError, ValueError):
        return []
    if not interrupted:
        return []
    ended = case.run("recover")
    return [f"recover: exit {ended.code}: {ended.err[-700:]}"] if ended.code or code != 1 else []


def _try(stage: Stage, trial: Trial) -> tuple[int, list[str], bool]:
    """The exit code, what was wrong, and whether the fault was met."""
    scenario, run = SCENARIOS[trial.scenario], whole(stage, trial.scenario)
    with stage.case(scenario.start) as case:
        before = _touched(case)
        with case.tracker() as tracker:
            known = {d.deployment_id for d in tracker.list_deployments(limit=100)}
        case.sandbox.faults(trial.fault)
        ended = case.run(*scenario.words, "-o", "json")
        met = bool(case.sandbox.faults_met)
        case.sandbox.faults()
        bad = [] if trial.times else _settled(case, ended.code, ended.out)
        bad += _look(case, before, known, ended.code, ended.out, ended.err)
        if ended.code == 0:
            bad += agreement.differences(run.after, without_hooks(case.content()))
            bad += agreement.stuck(case.settled())
        if bad:
            return ended.code, [f"exit {ended.code}: {ended.err[-700:]}", *bad], met
        final = case.run("apply", "-y")
        if final.code:
            said = f"the next apply: exit {final.code}: {final.err[-1000:]} (after: {ended.err[-700:]})"
            return ended.code, [said], met
        bad = agreement.differences(whole(stage, "apply").after, without_hooks(case.content()))
        bad += case.disagreements()
        if (plan := case.run("plan", "--exit-status")).code:
            bad.append(f"the plan afterwards is not empty: {plan.out[-1000:]}")
        return ended.code, [f"after the next apply: {b}" for b in bad], met


SHARDS = long_or_short(16, 1)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_fault_ends_in_a_true_record(stage: Stage, shard: int, tally: Tally) -> None:
    """One fault, once or for good, anywhere."""
    trials = spread(_all(), 7)[shard::SHARDS]
    bad = []
    for trial in trials:
        code, wrong, met = _try(stage, trial)
        tally(cases=1, met=int(met), failures=int(bool(wrong)), **{f"exit_{code}": 1})
        if wrong:
            bad.append(f"{trial}: " + "; ".join(wrong))
            note(bad[-1])
    assert not bad, f"{len(bad)} of {len(trials)} failed:\n" + "\n\n".join(bad)
