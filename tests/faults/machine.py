"""Random histories of a project: edits, applies, faults, foreign hands, rollbacks; and what must hold after each.

The model knows what the file wants, what others have put into the cluster, and nothing of how sbkube works.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from faults import agreement
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sbkube.api.project import Project
from sbkube.api.where import Where
from sbkube.config.load import load_project
from sbkube.edges.cluster import HttpCluster
from sbkube.errors import FieldConflict, PlanRefused, SbkubeError
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import Plan
from sbkube.models.resource import ResourceKey
from sbkube.plan.labels import APP
from sbkube.state.tracker import DeploymentTracker

Json = dict[str, Any]
SECRET = "pr0perty-secret"
FOREIGN = "somebody"
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())

names = st.sampled_from(["a", "b", "c"])
keys = st.sampled_from(["k1", "k2", "k3"])
values = st.sampled_from(["1", "2", "3"])
picks = st.integers(0, 20)
kinds = st.sampled_from(["ConfigMap", "Secret", "Service"])
faults = st.fixed_dictionaries(
    {
        "verb": st.sampled_from(["patch", "create", "delete", "get", "list", "update", ""]),
        "skip": st.integers(0, 4),
        "times": st.sampled_from([1, 1, 2, 9]),
    }
).flatmap(
    lambda base: st.sampled_from(
        [{"status": c} for c in (409, 422, 429, 500, 503)] + [{"cut": c} for c in ("before", "after", "body")]
    ).map(lambda what: {**base, **what})
)


class Place(Protocol):
    """A sandbox that many histories share, each in a namespace of its own."""

    cluster: HttpCluster

    def ledger(self) -> DeploymentTracker:
        """A state database, which histories share too: each has a project of its own in it."""

    def world(self, project: Project, ledger: DeploymentTracker) -> Any:
        """The surroundings of a project here."""

    def faults(self, *wanted: Json) -> None:
        """Have these happen, and no others."""

    def settle(self) -> None:
        """Wait for the controllers."""


@dataclass
class Wanted:
    """The project's file as the model sees it: app → kind/name → content; and the value of the Helm app.

    `forms` say how an app is written. That changes nothing of what is wanted.
    """

    apps: dict[str, dict[tuple[str, str], dict[str, str]]] = field(default_factory=dict)
    release: str | None = None
    forms: dict[str, str] = field(
        default_factory=dict
    )  # app → how the file writes it, `yaml` where nothing is said

    def objects(self) -> dict[tuple[str, str], dict[str, str]]:
        """Everything wanted, of all apps."""
        return {key: data for app in self.apps.values() for key, data in app.items()}


FORMS = ("yaml", "hook", "action", "hooked", "phase")


def manifest(kind: str, name: str, data: Mapping[str, str]) -> Json:
    """An object whose content is `data`."""
    body: Json = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    if kind == "ConfigMap":
        return {**body, "data": dict(data)}
    if kind == "Secret":
        return {**body, "stringData": {k: f"{SECRET}-{v}" for k, v in data.items()}}
    ports = [{"name": k, "port": 8000 + int(v) * 10 + int(k[1])} for k, v in data.items()]
    return {**body, "spec": {"selector": {"app": name}, "ports": ports or [{"name": "only", "port": 80}]}}


def written(folder: Path, app: str, form: str, documents: list[Json]) -> Json:
    """An app with these objects in one of `FORMS`, and the files that it names."""
    if form == "hook" and documents:
        tasks = [{"type": "inline", "name": f"t{i}", "content": d} for i, d in enumerate(documents)]
        return {"type": "hook", "tasks": tasks}
    if form == "action" and documents:
        for number, document in enumerate(documents):
            (folder / f"{app}-{number}.yaml").write_text(yaml.safe_dump(document))
        return {
            "type": "action",
            "actions": [{"type": "apply", "path": f"{app}-{n}.yaml"} for n in range(len(documents))],
        }
    file = folder / f"{app}.yaml"
    file.write_text("---\n".join(yaml.safe_dump(d) for d in documents) or "# nothing\n")
    if form == "hooked" and documents:
        hooks = {"pre_deploy": ["true"], "post_deploy": ["false"], "pre_deploy_manifests": [file.name]}
        return (
            {"type": "noop", "hooks": {"pre_deploy_manifests": [file.name]}}
            if app == "a"
            else {
                "type": "yaml",
                "manifests": [file.name],
                "hooks": {k: v for k, v in hooks.items() if "manifests" not in k},
            }
        )
    return {"type": "yaml", "manifests": [file.name]}


class Histories(RuleBasedStateMachine):
    """One history. `place` is set by the test that runs it."""

    place: Place
    with_helm = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sbk-history-", dir=MEMORY))
        self.namespace = f"p-{uuid.uuid4().hex[:10]}"
        self.ledger = self.place.ledger()
        self.wanted = Wanted()
        self.foreign_fields: dict[tuple[str, str], dict[str, str]] = {}
        self.foreign_objects: dict[str, Json] = {}
        self.contested: dict[tuple[str, str], str] = {}  # ConfigMaps whose k1 others have set, and to what
        self.ours: list[tuple[str, str]] = []
        self.dirty = False
        self.place.faults()

    def teardown(self) -> None:
        """Clean up."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the project and the cluster

    def project(self, *, force: bool = False) -> Project:
        """The project as the file says now."""
        self._write()
        where = Where(force_conflicts=force)
        opened = Project(load_project(self.folder / "project", environ={}), where, lambda event: None, {})
        opened.__dict__["ledger"] = self.ledger
        opened.__dict__["world"] = self.place.world(opened, self.ledger)
        return opened

    def _write(self) -> None:
        folder = self.folder / "project"
        folder.mkdir(exist_ok=True)
        apps: Json = {}
        phased: Json = {}
        for app, objects in self.wanted.apps.items():
            documents = [manifest(kind, name, data) for (kind, name), data in objects.items()]
            form = self.wanted.forms.get(app, "yaml")
            (phased if form == "phase" else apps)[app] = written(folder, app, form, documents)
        if self.wanted.release is not None:
            _chart(folder)
            (folder / "values.yaml").write_text(yaml.safe_dump({"mark": self.wanted.release}))
            apps["released"] = {"type": "helm", "chart": "./chart", "values": ["values.yaml"]}
        settings = {"namespace": self.namespace, "timeout": 20, "on_failure": "continue"}
        document = {"apiVersion": "sbkube/v1", "metadata": {"name": self.namespace}, "settings": settings}
        document |= {"phases": {"later": {"apps": phased}}} if phased else {}
        (folder / "sbkube.yaml").write_text(yaml.safe_dump({**document, "apps": apps}))

    def live(self) -> list[Json]:
        """Everything in our namespace, and what tells the cluster apart."""
        self.place.settle()
        cluster, found = self.place.cluster, []
        for kind in ("ConfigMap", "Secret", "Service", "Lease"):
            version = "coordination.k8s.io/v1" if kind == "Lease" else "v1"
            resource = cluster.resource_type(version, kind)
            assert resource is not None
            found += cluster.list(resource, self.namespace)
        space = cluster.get(ResourceKey("", "v1", "Namespace", "", self.namespace))
        return found + ([space] if space else [])

    def content(self) -> dict[agreement.Identity, Json]:
        """What is in the namespace, comparable."""
        return agreement.content(self.live())

    def target(self) -> LockTarget:
        """The lock target of this history's project."""
        return LockTarget(self.namespace, self.place.cluster.info().uid, self.namespace)

    def _do(self, project: Project, plan: Plan, command: str) -> int:
        return int(project.execute(plan, command=command).exit_code)

    def want_at_first(self) -> None:
        """Something to begin with, for tests that are no random history."""
        self.wanted.apps = {"a": {("ConfigMap", "a-a"): {"k1": "1"}}, "b": {("Secret", "b-a"): {"k1": "1"}}}

    # ---- rules

    @rule(app=names, kind=kinds, name=names, data=st.dictionaries(keys, values, max_size=3))
    def want(self, app: str, kind: str, name: str, data: dict[str, str]) -> None:
        """The file gains an object, or another content of it."""
        name = f"{app}-{name}"
        self.wanted.apps.setdefault(app, {})[kind, name] = data

    @precondition(lambda self: self.wanted.objects())
    @rule(data=st.data())
    def want_no_more(self, data: st.DataObject) -> None:
        """The file loses an object."""
        app = data.draw(st.sampled_from(sorted(a for a, o in self.wanted.apps.items() if o)))
        gone = data.draw(st.sampled_from(sorted(self.wanted.apps[app])))
        del self.wanted.apps[app][gone]

    @rule(app=names, form=st.sampled_from(FORMS))
    def rewrite(self, app: str, form: str) -> None:
        """The file writes an app in another way: as steps, as tasks, with hooks, in a phase."""
        self.wanted.forms[app] = form

    @precondition(lambda self: len(self.wanted.apps) > 1)
    @rule(data=st.data())
    def drop_app(self, data: st.DataObject) -> None:
        """The file loses an app."""
        del self.wanted.apps[data.draw(st.sampled_from(sorted(self.wanted.apps)))]

    @precondition(lambda self: self.with_helm)
    @rule(mark=st.none() | values)
    def want_release(self, mark: str | None) -> None:
        """The Helm app gets another value, or leaves the file."""
        if self.wanted.apps or mark is not None:
            self.wanted.release = mark

    @precondition(lambda self: self.wanted.apps or self.wanted.release)
    @rule(undo=st.booleans())
    def apply(self, undo: bool) -> None:
        """An apply without faults reaches what the file says, and nothing is left to do."""
        self.dirty = True
        project = self.project()
        project.settle()
        before = self.content()
        try:
            plan = project.plan()
        except FieldConflict:
            assert self.contested
            _same(before, self.content())
            plan = (project := self.project(force=True)).plan()
        code = self._do(project, plan, "apply")
        assert code == 0, self.ledger.list_deployments(limit=1)[0].error_message
        self._reached()
        again = self.project().plan()
        assert not again.writes, [str(op.id) for op in again.operations]
        if undo and plan.writes:
            self._undo_and_redo(before)

    def _undo_and_redo(self, before: dict[agreement.Identity, Json]) -> None:
        """rollback(apply(x)) = x, and the rollback of that is the apply again."""
        after = self.content()
        project = self.project()
        try:
            back = project.plan_rollback()
        except PlanRefused as refused:
            assert False, [str(p) for p in refused.problems]  # noqa: B011
        assert self._do(project, back, "rollback") == 0
        _same(_kept(before), _kept(self.content()))
        again = (project := self.project()).plan_rollback()
        assert self._do(project, again, "rollback") == 0
        _same(_kept(after), _kept(self.content()))

    @precondition(lambda self: self.wanted.apps or self.wanted.release)
    @rule(wanted=st.lists(faults, min_size=1, max_size=2))
    def apply_with_faults(self, wanted: list[Json]) -> None:
        """Whatever fails, the record stays true; 2 to 5 touch nothing."""
        before = self.content()
        self.place.faults(*wanted)
        self.dirty = True
        try:
            project = self.project()
            project.settle()
            self._do(project, project.plan(), "apply")
        except SbkubeError as error:
            self.place.faults()
            if error.exit_code in (2, 3, 4, 5):
                _same(before, self.content())
        self.place.faults()
        self.project().recover()  # what was cut off twice nobody knows before
        self._forget_what_is_gone()

    # What is in the cluster after faults depends on which thread met them, so it must not decide what is drawn.

    @rule(which=picks, key=st.sampled_from(["theirs1", "theirs2"]), value=values)
    def somebody_adds_a_field(self, which: int, key: str, value: str) -> None:
        """Another manager adds a label to one of our objects."""
        for kind, name in self._one_of_ours(which):
            self._merge(kind, name, {"metadata": {"labels": {key: value}}})
            self.foreign_fields.setdefault((kind, name), {})[key] = value
            self.dirty = True

    @rule(which=picks, value=values)
    def somebody_changes_our_field(self, which: int, value: str) -> None:
        """Another manager sets a field that is ours (drift), or that we may want later (a conflict)."""
        for kind, name in self._one_of_ours(which, "ConfigMap"):
            self._merge(kind, name, {"data": {"k1": f"other {value}"}})
            self.contested[kind, name] = f"other {value}"
            self.dirty = True

    @rule(name=names, value=values)
    def somebody_creates_an_object(self, name: str, value: str) -> None:
        """Another manager has objects of its own in our namespace."""
        if self.place.cluster.get(ResourceKey("", "v1", "Namespace", "", self.namespace)) is None:
            return
        meta = {"name": f"foreign-{name}", "namespace": self.namespace}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"v": value}}
        self.place.cluster.apply(body, manager=FOREIGN, force=True)
        self.foreign_objects[f"foreign-{name}"] = {"v": value}

    # ---- what holds after each step that may have changed something

    @invariant()
    def all_is_well(self) -> None:
        """Nothing foreign was touched, the record is true for what is ours, and the lock is free."""
        if not self.dirty:
            return
        self.dirty = False
        objects = self.live()
        self._foreign_things_are_left_alone(objects)
        assert self.ledger.holder(self.target()) is None
        contested = {(kind, self.namespace, name) for kind, name in self.contested}
        bad = agreement.record_and_cluster(self.ledger, objects, self.target(), contested)
        assert not bad, bad
        there = {(o["kind"], o["metadata"]["name"]) for o in objects}
        recorded = ((k.kind, k.name) for k in self.ledger.inventory(self.target()) if k.namespace)
        self.ours = sorted(k for k in recorded if k in there and not k[1].startswith("released"))

    def _foreign_things_are_left_alone(self, objects: list[Json]) -> None:
        found = {(o["kind"], o["metadata"]["name"]): o for o in objects}
        for name, data in self.foreign_objects.items():
            assert found["ConfigMap", name]["data"] == data
        for key, labels in self.foreign_fields.items():
            have = found[key]["metadata"].get("labels") or {}
            assert labels.items() <= have.items(), (key, labels, have)

    # ---- what they need

    def _one_of_ours(self, which: int, only: str = "") -> list[tuple[str, str]]:
        """One object that is ours, or none."""
        ours = [key for key in self.ours if only in ("", key[0])]
        return [ours[which % len(ours)]] if ours else []

    def _key(self, kind: str, name: str) -> ResourceKey:
        return ResourceKey("", "v1", kind, self.namespace, name)

    def _merge(self, kind: str, name: str, patch: Json) -> None:
        self.place.cluster.merge(self._key(kind, name), patch, manager=FOREIGN)

    def _reached(self) -> None:
        found = self.content()
        wanted = self.wanted.objects()
        for (kind, name), data in wanted.items():
            if kind == "ConfigMap":
                theirs = {"k1": self.contested[kind, name]} if (kind, name) in self.contested else {}
                assert found[kind, self.namespace, name].get("data", {}) == theirs | data
        self.contested = {key: value for key, value in self.contested.items() if "k1" not in wanted.get(key, {})}
        labels = {k: (body["metadata"].get("labels") or {}).get(APP, "") for k, body in found.items()}
        apps = {k: app.rpartition(".")[2] for k, app in labels.items()}  # without its phase
        managed = {k for k, app in apps.items() if app in ("a", "b", "c") and k[0] != "Namespace"}
        assert managed == {(kind, self.namespace, name) for kind, name in self.wanted.objects()}
        self._forget_what_is_gone()

    def _forget_what_is_gone(self) -> None:
        """With an object that we delete, what others had added to it is gone too."""
        found = {(o["kind"], o["metadata"]["name"]) for o in self.live()}
        self.foreign_fields = {k: v for k, v in self.foreign_fields.items() if k in found}
        self.contested = {k: v for k, v in self.contested.items() if k in found}


def _same(wanted: dict[agreement.Identity, Json], found: dict[agreement.Identity, Json]) -> None:
    bad = agreement.differences(wanted, found)
    assert not bad, "\n".join(bad)


def _kept(content: dict[agreement.Identity, Json]) -> dict[agreement.Identity, Json]:
    """What a rollback has to restore: not the clusterIP of a Service, nor what others set on what is gone."""
    result = {}
    for key, body in content.items():
        spec = {k: v for k, v in (body.get("spec") or {}).items() if k not in ("clusterIP", "clusterIPs")}
        labels = body["metadata"].get("labels") or {}
        ours = {k: v for k, v in labels.items() if not k.startswith("theirs")}
        result[key] = {
            **body,
            "metadata": {**body["metadata"], "labels": ours},
            **({"spec": spec} if spec else {}),
            "data": {k: v for k, v in (body.get("data") or {}).items() if not v.startswith("other ")},
        }
    return result


def _chart(folder: Path) -> None:
    base = folder / "chart"
    if base.exists():
        return
    (base / "templates").mkdir(parents=True)
    (base / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    (base / "values.yaml").write_text("mark: none\n")
    page = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: released-page}\n"
    (base / "templates" / "page.yaml").write_text(page + "data: {mark: {{ .Values.mark | quote }}}\n")
