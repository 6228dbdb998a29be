"""A front door for tests of the command line: the same names as `sbkube.api`, with values made here."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sbkube.errors import ConfigError, Place, Problem, UsageError
from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    EventRecord,
    ResourceRecord,
)
from sbkube.models.health import Health, HealthStatus
from sbkube.models.outcome import Event, OpState
from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.resource import ClusterInfo, ResourceKey

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
WEB = ResourceKey("apps", "v1", "Deployment", "shop", "web")
TOKEN = ResourceKey("", "v1", "Secret", "shop", "token")
INFO = ClusterInfo("k3s", "https://127.0.0.1:6443", "default", "v1.34.1", "uid-1")


@dataclass(frozen=True)
class Where:
    kubeconfig: str | None = None
    context: str | None = None
    sandbox: bool = False
    state_url: str | None = None
    no_cluster_lock: bool = False
    same_project: bool = False
    locked: bool = False
    offline: bool = False
    force_conflicts: bool = False


def record(**changes: Any) -> DeploymentRecord:
    made = DeploymentRecord(
        id=1,
        deployment_id="dep-20260501120000-0a1b2c3d",
        status=DeploymentStatus.SUCCESS,
        created_at=NOW,
        cluster="k3s",
        namespace="shop",
        app_config_dir="/p",
        config_file_path="/p/sbkube.yaml",
        command="apply",
        config_snapshot={},
        project="shop",
        operator="ann",
        host="box",
        ended_at=NOW + timedelta(seconds=4.2),
        counts={"create": 2, "change": 1},
    )
    return replace(made, **changes)


def detail(**changes: Any) -> DeploymentDetail:
    made = record(**changes)
    failed = made.status is DeploymentStatus.FAILED
    state = OpState.FAILED if failed else OpState.APPLIED
    why = "Pod/web-1 in shop, container app: ImagePullBackOff: not found" if failed else ""
    end = NOW + timedelta(seconds=2)
    return DeploymentDetail(
        made,
        apps=(AppDeploymentRecord(1, "web", "yaml", "shop", made.status, {}, {}, NOW, end, why or None),),
        resources=(
            ResourceRecord(
                1, "web", "op", WEB, "apply", state, before=None, after={"kind": "Deployment"}, message=why
            ),
        ),
        events=(EventRecord(1, NOW, "evidence", "web", "Pod/web-1", why, f"{why}\nlast line"),) if failed else (),
    )


def plan(*, effect: Effect = Effect.CHANGE, purpose: str = "apply") -> Plan:
    verb = Verb.DELETE if effect is Effect.DELETE else Verb.APPLY
    image = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
    change = Change(
        WEB,
        effect,
        before=None if effect is Effect.CREATE else image,
        after=None if effect is Effect.DELETE else {**image, "spec": {"replicas": 3}},
        fields=(FieldChange("spec.replicas", 1, 3),),
    )
    secret = Change(
        TOKEN,
        Effect.CHANGE,
        before={"kind": "Secret", "apiVersion": "v1", "data": {"password": "aHVudGVyMg=="}},
        after={"kind": "Secret", "apiVersion": "v1", "data": {"password": "aHVudGVyMw=="}},
        fields=(FieldChange("data.password", "aHVudGVyMg==", "aHVudGVyMw=="),),
    )
    operations = (
        () if effect is Effect.UNCHANGED else (Operation("web/apply/Deployment/shop/web", "web", verb, WEB),)
    )
    changes = (change,) if effect is Effect.UNCHANGED else (change, secret)
    return Plan(
        "shop", "shop", purpose, "k3s", "uid-1", (AppPlan("web", "yaml", "shop", (), changes, operations),)
    )


@dataclass
class FakeProject:
    api: FakeApi
    listener: Any
    config: Any = field(
        default_factory=lambda: SimpleNamespace(
            path=Path("/p/sbkube.yaml"),
            name="shop",
            apps={"web": SimpleNamespace(enabled=True)},
            full_names=tuple,
        )
    )
    cancel: threading.Event = field(default_factory=threading.Event)
    children: tuple[()] = ()

    def __enter__(self) -> FakeProject:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.closed += 1

    def family(self, apps: tuple[str, ...] = (), *, connected: bool = True) -> list[Any]:
        return [SimpleNamespace(project=self, apps=self.config.full_names(apps), main=True, prefix="")]

    def wait_for_lock(self, seconds: float = 0) -> None:
        self.api.calls.append(("wait_for_lock", seconds, {}))

    def settle(self) -> None:
        """Nothing was interrupted."""

    def plan_hooks(self, apps: tuple[str, ...] = (), stages: tuple[str, ...] = ()) -> Plan | None:
        return None

    def plan(self, apps: tuple[str, ...] = (), *, prune: bool = True, **_: Any) -> Plan:
        self.api.calls.append(("plan", apps) if prune else ("plan", apps, "no prune"))
        if self.api.fails is not None:
            raise self.api.fails
        return plan(effect=self.api.effect)

    def plan_delete(self, apps: tuple[str, ...] = (), *, delete_data: bool = False) -> Plan:
        self.api.calls.append(("plan_delete", apps, delete_data))
        return plan(effect=Effect.DELETE, purpose="delete")

    def plan_rollback(self, reference: str = "", **args: Any) -> Plan:
        self.api.calls.append(("plan_rollback", reference, args))
        return plan(purpose="rollback")

    def plan_resume(self, reference: str = "", **_: Any) -> Plan | None:
        self.api.calls.append(("plan_resume", reference, {}))
        return plan(purpose="apply") if reference else None

    def save(self, value: Plan, path: str) -> str:
        self.api.calls.append(("save", value.purpose, path))
        return "digest-1"

    def approved(self, path: str) -> Any:
        self.api.calls.append(("approved", path))
        return SimpleNamespace(plan=plan(effect=self.api.effect), command="apply", digest="digest-1")

    def masked(self, value: Plan) -> Plan:
        return value

    def execute(self, value: Plan, **args: Any) -> Any:
        self.api.calls.append(("execute", args))
        self.listener(Event("app.started", NOW, app="web"))
        self.listener(Event("wait.progress", NOW, app="web", subject=str(WEB), message="0 of 1 ready"))
        self.listener(Event("app.ended", NOW + timedelta(seconds=2), app="web", status="success"))
        status = self.api.ends
        code = 0 if status is DeploymentStatus.SUCCESS else 1
        record = detail(status=status, command=args["command"])
        return SimpleNamespace(record=record, exit_code=code, outcomes=(), rollback=self.api.rollback)

    def status(self, apps: tuple[str, ...] = (), **_: Any) -> Any:
        bad = Health(HealthStatus.IN_PROGRESS, "LessReady", "0 of 1 ready")
        app = SimpleNamespace(
            name="web", type="yaml", namespace="shop", health=bad, objects=((WEB, bad),), release="", notes=""
        )
        return SimpleNamespace(cluster=INFO, project="shop", namespace="shop", last=record(), apps=(app,))

    def history(self, **filters: Any) -> tuple[DeploymentRecord, ...]:
        self.api.calls.append(("project.history", filters))
        return (record(),)

    def show(self, reference: str) -> DeploymentDetail:
        return detail(status=DeploymentStatus.FAILED)

    def hidden_paths(self, records: Any) -> tuple[str, ...]:
        return ()

    def template(self, apps: tuple[str, ...] = (), **_: Any) -> str:
        return "---\n# app web: x.yaml\nkind: ConfigMap\n---\nkind: Service\n"

    def validate(self) -> tuple[list[Problem], tuple[str, ...]]:
        return [], ("settings.clusters is old",)

    def recover(self) -> tuple[DeploymentRecord, ...]:
        return (record(status=DeploymentStatus.INTERRUPTED),)


@dataclass
class FakeBox:
    calls: list[Any]

    def up(self, **options: Any) -> Path:
        self.calls += [("up", options)] if any(options.values()) else []
        return Path("/p/.sbkube/sandbox/kubeconfig")

    def down(self) -> bool:
        return True

    def status(self) -> dict[str, Any]:
        return {"url": "https://127.0.0.1:1", "pid": 7}

    def reset(self) -> None:
        self.calls.append(("reset",))

    def kubeconfig(self) -> Path:
        return self.up()

    def run(self, command: tuple[str, ...]) -> int:
        self.calls.append(("run", command))
        return 5


class FakeApi:
    """Records what it is asked; `effect`, `ends` and `fails` decide what happens."""

    Where = Where

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.closed = 0
        self.effect = Effect.CHANGE
        self.ends = DeploymentStatus.SUCCESS
        self.rollback: Any = None
        self.fails: BaseException | None = None

    def __call__(self) -> FakeApi:
        return self

    def open_project(
        self, target: Any = ".", *, namespace: Any = None, environment: Any = None, where: Any, listener: Any
    ) -> FakeProject:
        self.calls.append(("open", str(target), namespace, where))
        if str(target) == "broken":
            problem = Problem("unknown key 'imge'", Place("sbkube.yaml", 3, 5), "did you mean 'image'?")
            raise ConfigError("the project file has 1 problem", problems=[problem])
        return FakeProject(self, listener)

    def open_records(
        self, target: Any = ".", *, environment: Any = None, where: Any, listener: Any
    ) -> FakeProject:
        return self.open_project(target, environment=environment, where=where, listener=listener)

    def history(self, url: str | None = None, **filters: Any) -> tuple[DeploymentRecord, ...]:
        self.calls.append(("history", url, filters))
        return (record(), record(id=2, project="blog", namespace="blog", status=DeploymentStatus.FAILED))

    def show(self, reference: str, url: str | None = None) -> DeploymentDetail:
        self.calls.append(("show", reference, url))
        return detail()

    def hidden_paths(self, records: Any, url: str | None = None) -> tuple[str, ...]:
        return ()

    def doctor(self, project: Any, where: Any) -> tuple[Any, ...]:
        return (
            SimpleNamespace(name="helm", ok=True, text="sdk 0.2.2", hint=""),
            SimpleNamespace(name="cluster", ok=False, text="no answer", hint="is it running?"),
        )

    def sandbox(self, folder: Any, own: Any = None) -> FakeBox:
        self.calls += [("own", own)] if own else []
        return FakeBox(self.calls)

    def init_project(self, folder: str, name: str | None = None, template: str = "minimal") -> list[Path]:
        if folder == "full":
            raise UsageError("full/sbkube.yaml exists already")
        return [Path(folder) / "sbkube.yaml"]

    def schema(self) -> dict[str, Any]:
        return {"$schema": "https://json-schema.org/draft/2020-12/schema"}
