"""Much of the same is counted; what failed is never folded away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    EventRecord,
    ResourceRecord,
)
from sbkube.models.health import Health, HealthStatus
from sbkube.models.outcome import OpState
from sbkube.models.plan import AppPlan, Change, Effect, Plan
from sbkube.models.resource import ClusterInfo, ResourceKey
from sbkube.report import detail, plan, run, status
from sbkube.report.ink import Ink

NOW = datetime(2026, 5, 1, tzinfo=UTC)
APPS = [f"app-{number:03d}" for number in range(40)]
K3S = ClusterInfo("k3s", "", "", "", "")
BROKEN, WELL = DeploymentStatus.FAILED, DeploymentStatus.SUCCESS


def keys(app: str) -> Sequence[ResourceKey]:
    maps = [ResourceKey("", "v1", "ConfigMap", "shop", f"{app}-{at}") for at in range(3)]
    return [*maps, ResourceKey("apps", "v1", "Deployment", "shop", app)]


def recorded(error: str = "Pod/x in shop: ImagePullBackOff") -> DeploymentDetail:
    record = DeploymentRecord(
        1, "dep-1", DeploymentStatus.PARTIALLY_FAILED, NOW, "k3s", "shop", "/p", "sbkube.yaml", "apply", {}
    )
    apps, resources = [], []
    for number, app in enumerate(APPS):
        failed = number == 7
        apps.append(
            AppDeploymentRecord(
                number, app, "yaml", "shop", BROKEN if failed else WELL, error_message=error if failed else None
            )
        )
        for key in keys(app):
            state = OpState.FAILED if failed and key.kind == "Deployment" else OpState.APPLIED
            resources.append(ResourceRecord(1, app, "op", key, "apply", state, after={"kind": key.kind}))
    event = EventRecord(1, NOW, "evidence", "app-007", "Pod/x in shop", error, f"{error}\nlast line of its log")
    return DeploymentDetail(record, apps=tuple(apps), resources=tuple(resources), events=(event,))


def test_a_plan_counts_new_objects_of_many() -> None:
    new = [Change(key, Effect.CREATE, note="new (simulated): later") for app in APPS for key in keys(app)]
    gone = Change(ResourceKey("", "v1", "Secret", "shop", "gone"), Effect.DELETE)
    made = Plan("shop", "shop", "apply", "k3s", "uid", (AppPlan("web", "yaml", "shop", changes=(*new, gone)),))
    text = plan.render(made, plan.PlanView())
    assert "  + 120 ConfigMap, 40 Deployment\n  - Secret/gone" in text and "app-001" not in text
    assert text.count("later") == 1 and "160 objects: new (simulated): later" in text
    assert "Deployment/app-001" in plan.render(made, plan.PlanView(bodies=True))


def test_a_summary_counts_what_went_well_where_it_does_not_fit() -> None:
    lines = run.render(recorded(), ink=Ink(), rows=24).splitlines()
    assert lines[0] == "✓ 39 apps  156 created" and lines[1].startswith("✗ app-007  Pod/x in shop: Image")
    assert len(run.render(recorded(), ink=Ink()).splitlines()) > 40, "a log has room for all"


def test_an_error_is_told_once_in_full() -> None:
    long = "Pod/x in shop: ImagePullBackOff: " + "no such image anywhere, " * 9
    text = run.render(recorded(long), ink=Ink(), rows=24)
    assert text.count("ImagePullBackOff") == 2 and text.count(long) == 1
    assert detail.render(recorded(long), ink=Ink()).count(long) == 1


def test_a_log_has_room_for_the_reason() -> None:
    long = "CrashLoopBackOff: Pod/x in shop, container job: exited with code 1; last said: " + "no such file " * 9
    for text in (
        run.render(recorded(long), ink=Ink(), width=0),
        detail.render(recorded(long), ink=Ink(), width=0),
    ):
        assert text.count(long) == 1 and "…" not in text
        assert "container job: exited with code 1\n" in text


def test_a_failed_command_is_told_once() -> None:
    failed = "load.1: it ended with exit code 3"
    key = ResourceKey("sbkube.dev", "v1", "Command", "shop", "load.1")
    row = ResourceRecord(1, "app-007", "op", key, "run", OpState.FAILED, reason="command-failed", message=failed)
    said = EventRecord(1, NOW, "command.output", "app-007", "load.1", failed, "no such file")
    again = EventRecord(2, NOW, "evidence", "app-007", "Command/load.1 in shop", failed, failed)
    made = recorded(failed)
    record = replace(made.deployment, error_message=f"app-007: {failed}")
    made = replace(made, deployment=record, resources=(row,), events=(said, again))
    for text in (run.render(made, ink=Ink()), detail.render(made, ink=Ink())):
        assert text.count(failed) == 1 and text.count("no such file") == 1
        assert "Evidence  (1 message)" in text and "app-007: load.1\n    | no such file" in text


def test_a_report_counts_what_went_well() -> None:
    text = detail.render(recorded(), ink=Ink())
    assert "  ✓ 3 ConfigMap, 1 Deployment  created" in text and "✗ Deployment/app-007  apply failed" in text
    assert "Deployment/app-001" in detail.render(recorded(), ink=Ink(), diffs=True)


@dataclass
class App:
    name: str
    health: Health
    type: str = "yaml"
    namespace: str = "shop"
    objects: tuple[tuple[ResourceKey, Health], ...] = ()
    release: str = ""
    notes: str = ""


@dataclass
class Report:
    apps: Sequence[App]
    project: str = "shop"
    namespace: str = "shop"
    cluster: ClusterInfo = K3S
    last: None = None


def test_a_watched_status_counts_apps_that_are_well() -> None:
    ready, failed = Health(HealthStatus.READY), Health(HealthStatus.FAILED, "Failed", "gone")
    report = Report([App(name, failed if name == "app-007" else ready) for name in APPS])
    text = status.render(report, ink=Ink(), view=status.StatusView(rows=24))
    assert "● 39 apps ready" in text and "✗ app-007" in text and "app-001" not in text
    assert "NAMESPACE" not in text, "it is told above"
    assert "app-001" in status.render(report, ink=Ink())
