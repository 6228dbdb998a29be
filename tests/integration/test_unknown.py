"""What cannot be looked at, or tried: said in words, never "no change"; and kinds that this plan creates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, namespace
from shapes import configmap

from sbkube.api import Where, open_project
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Request
from sbkube.errors import ClusterUnreachable, HelmError
from sbkube.models.outcome import OpState
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.ports import CancelToken

Fail = Callable[..., None]


@pytest.fixture
def fail(api_server: HttpCluster, bench: Bench) -> Iterator[Fail]:
    """Let requests of this test's namespace fail, in the sandbox only."""
    if not api_server.info().sandbox:
        pytest.skip("faults on demand want a sandbox")

    def add(**fault: Any) -> None:
        body = json.dumps([{"namespace": bench.namespace, "times": 0, **fault}]).encode()
        api_server.connection.request(Request("POST", "/sandbox/faults", body))

    yield add
    api_server.connection.request(Request("DELETE", "/sandbox/faults"))


def _change(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = [c for a in document["apps"] for c in a["changes"] if c["name"] == name]
    assert len(found) == 1
    return found[0]  # type: ignore[no-any-return]


def test_a_webhook_that_refuses_dry_runs(bench: Bench, api_server: HttpCluster, fail: Fail) -> None:
    namespace(bench, api_server)
    app(bench, configmap("a", x="1"))
    message = 'admission webhook "w.example.com" does not support dry run'
    fail(verb="patch", kind="ConfigMap", name="a", status=400, message=message, dry_run=True)
    document = bench.ok("plan", "-o", "json").json
    change = _change(document, "a")
    assert change["effect"] == "unknown" and "w.example.com" in change["note"]
    assert document["summary"]["unknown"] == 1 and document["changes_pending"] is True
    assert bench.sbkube("plan", "--exit-status").code == 10
    assert "unknown" in bench.ok("plan").out
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}


def test_no_right_to_patch_is_unknown_and_fails_truly(bench: Bench, api_server: HttpCluster, fail: Fail) -> None:
    namespace(bench, api_server)
    app(bench, configmap("a", x="1"))
    for verb in ("patch", "create"):
        fail(verb=verb, kind="ConfigMap", status=403)
    assert _change(bench.ok("plan", "-o", "json").json, "a")["effect"] == "unknown"
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 1
    assert ran.json["deployment"]["status"] == "failed"
    assert get(api_server, "ConfigMap", bench.namespace, "a") is None


def test_no_right_to_get_is_unknown_and_apply_tells_what_came_of_it(
    bench: Bench, api_server: HttpCluster, fail: Fail
) -> None:
    app(bench, configmap("a", x="0"))
    bench.ok("apply", "-y")
    app(bench, configmap("a", x="1"))
    for verb in ("get", "list"):
        fail(verb=verb, kind="ConfigMap", status=403)
    change = _change(bench.ok("plan", "-o", "json").json, "a")
    assert change["effect"] == "unknown" and "cannot be read" in change["note"]
    bench.ok("apply", "-y")
    api_server.connection.request(Request("DELETE", "/sandbox/faults"))
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}


def test_no_right_to_list_is_made_up_for_by_getting(bench: Bench, api_server: HttpCluster, fail: Fail) -> None:
    app(bench, *(configmap(f"m{n}", x="1") for n in range(5)))
    bench.ok("apply", "-y")
    fail(verb="list", kind="ConfigMap", status=403)
    assert bench.ok("plan", "--exit-status").code == 0


def test_what_a_policy_denies_is_refused(bench: Bench, api_server: HttpCluster, fail: Fail) -> None:
    namespace(bench, api_server)
    app(bench, configmap("a", x="1"))
    message = 'admission webhook "policy.example.com" denied the request: no'
    fail(verb="patch", kind="ConfigMap", name="a", status=403, message=message)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "denied the request" in ran.err


def crd(bench: Bench) -> dict[str, Any]:
    """A kind of this test's own."""
    group = f"{bench.namespace}.example.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                            },
                        }
                    },
                }
            ],
        },
    }


def widget(bench: Bench, size: int = 1) -> dict[str, Any]:
    """One object of that kind."""
    group = f"{bench.namespace}.example.com"
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": size}}


@pytest.fixture
def widgets(bench: Bench, api_server: HttpCluster) -> Iterator[ResourceKey]:
    """The key of the widget; its kind is removed at the end."""
    definition = crd(bench)
    yield ResourceKey.of(widget(bench), bench.namespace)
    api_server.delete(ResourceKey.of(definition))


def test_what_is_wrong_is_found_before_its_namespace_is_made(bench: Bench, api_server: HttpCluster) -> None:
    wrong = {**configmap("fine", x="1"), "metadata": {"name": "wrong", "labels": {"not a label": "x"}}}
    unknown = {**configmap("unknown", x="1"), "dta": {"x": "1"}}
    app(bench, configmap("fine", x="1"), wrong, unknown)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "ConfigMap/wrong" in ran.err and "ConfigMap/unknown" in ran.err
    assert "trial" not in ran.err and "ConfigMap/fine" not in ran.err
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is None
    app(bench, configmap("fine", x="1"))
    bench.ok("apply", "-y")


def test_a_namesake_in_the_default_namespace_is_no_hindrance(bench: Bench, api_server: HttpCluster) -> None:
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": bench.namespace}}
    namesake = {**service, "metadata": {"name": bench.namespace, "namespace": "default"}, "spec": {"ports": ports}}
    api_server.create(namesake, manager="test")
    app(bench, {**service, "spec": {"ports": [{"name": "http", "port": 8080}]}})
    bench.ok("apply", "-y")
    api_server.delete(ResourceKey.of(namesake))


def test_a_kind_and_its_object_in_one_app(bench: Bench, api_server: HttpCluster, widgets: ResourceKey) -> None:
    app(bench, widget(bench), crd(bench))
    change = _change(bench.ok("plan", "-o", "json").json, "w")
    assert change["effect"] == "create" and change["note"].startswith("new (simulated)")
    bench.ok("apply", "-y")
    assert api_server.get(widgets) is not None
    assert bench.ok("plan", "--exit-status").code == 0


@pytest.mark.parametrize("parallel", [True, False])
def test_a_kind_that_an_app_further_down_brings_comes_first(
    bench: Bench, api_server: HttpCluster, widgets: ResourceKey, parallel: bool
) -> None:
    bench.write("w.yaml", widget(bench))
    bench.write("crd.yaml", crd(bench))
    apps = {name: {"type": "yaml", "manifests": [f"{name}.yaml"]} for name in ("w", "crd")}
    bench.project(apps, parallel_apps=parallel)
    bench.ok("apply", "-y")
    assert api_server.get(widgets) is not None


def test_a_kind_from_a_charts_crds_folder(bench: Bench, api_server: HttpCluster, widgets: ResourceKey) -> None:
    import yaml

    chart = bench.chart("op", {"w.yaml": yaml.safe_dump(widget(bench))})
    bench.write("charts/op/crds/crd.yaml", crd(bench))
    bench.write("w2.yaml", {**widget(bench), "metadata": {"name": "w2"}})
    bench.project({"more": {"type": "yaml", "manifests": ["w2.yaml"]}, "op": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    assert api_server.get(widgets) is not None
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_kind_from_a_charts_templates(bench: Bench, api_server: HttpCluster, widgets: ResourceKey) -> None:
    import yaml

    chart = bench.chart("op", {"crd.yaml": yaml.safe_dump(crd(bench))})
    bench.write("w.yaml", widget(bench))
    bench.project({"w": {"type": "yaml", "manifests": ["w.yaml"]}, "op": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    assert api_server.get(widgets) is not None


def test_kinds_that_need_each_other_the_wrong_way_round_are_named(bench: Bench, widgets: ResourceKey) -> None:
    bench.write("w.yaml", widget(bench))
    bench.write("crd.yaml", crd(bench))
    bench.project(
        {
            "w": {"type": "yaml", "manifests": ["w.yaml"]},
            "crd": {"type": "yaml", "manifests": ["crd.yaml"], "depends_on": ["w"]},
        }
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "circle" in ran.err


def test_a_namespace_that_an_app_further_down_brings(bench: Bench, api_server: HttpCluster) -> None:
    other = f"{bench.namespace}-x"
    inside = {**configmap("a", x="1"), "metadata": {"name": "a", "namespace": other}}
    bench.write("a.yaml", inside)
    bench.write("b.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    bench.project({n: {"type": "yaml", "manifests": [f"{n}.yaml"]} for n in ("a", "b")})
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", other, "a") is not None
    bench.ok("delete", "-y", "--delete-data")


def test_status_of_what_may_not_be_read_is_unknown(bench: Bench, fail: Fail) -> None:
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    for verb in ("get", "list"):
        fail(verb=verb, kind="ConfigMap", status=403)
    objects = [o for a in bench.ok("status", "-o", "json").json["apps"] for o in a["objects"]]
    assert [o["status"] for o in objects if o["name"] == "a"] == ["unknown"]
    document = bench.ok("drift", "-o", "json").json
    assert document["untold"] == 1 and document["drifted"] is False


def test_a_release_whose_objects_may_not_be_read_is_still_upgraded(bench: Bench, fail: Fail) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ .Values.x | quote }}}\n"
    chart = bench.chart("c", {"a.yaml": text})
    for x in ("1", "2"):
        bench.project({"c": {"type": "helm", "chart": chart, "values": [{"x": x}]}})
        if x == "1":
            bench.ok("apply", "-y")
    for verb in ("get", "list"):
        fail(verb=verb, kind="ConfigMap", status=403, agent="sbkube/*")
    assert _change(bench.ok("plan", "-o", "json").json, "a")["effect"] == "unknown"
    bench.ok("apply", "-y")


def test_a_kind_from_a_chart_that_is_not_waited_for_is_waited_for(bench: Bench, widgets: ResourceKey) -> None:
    """Whoever uses it comes after its establishment, also where `wait: false` spares the rest."""
    import yaml

    chart = bench.chart("op", {"crd.yaml": yaml.safe_dump(crd(bench))})
    bench.write("w.yaml", widget(bench))
    op = {"type": "helm", "chart": chart, "wait": False}
    bench.project({"w": {"type": "yaml", "manifests": ["w.yaml"]}, "op": op}, helm_label_injection=False)
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        operations = {op.id: op for op in project.plan().operations}
    (user,) = [op for op in operations.values() if op.key is not None and op.key.kind == "Widget"]
    awaited = [key.kind for name in user.needs for key in operations[name].awaits]
    assert "CustomResourceDefinition" in awaited
    bench.ok("apply", "-y")
    assert bench.ok("plan", "--exit-status").code == 0


class _Mute:
    """A Helm whose action is done, fails at its end, and whose history cannot be read after that."""

    def __init__(self, helm: Any) -> None:
        self._helm = helm
        self._dumb = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._helm, name)

    def install(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        self._helm.install(spec, cancel)
        self._dumb = True
        raise HelmError("the connection was cut")

    def history(self, name: str, namespace: str) -> Any:
        if self._dumb:
            raise ClusterUnreachable("the connection was cut")
        return self._helm.history(name, namespace)


def test_a_helm_action_of_which_nobody_knows_is_looked_at_again(bench: Bench, api_server: HttpCluster) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    bench.project({"c": {"type": "helm", "chart": bench.chart("c", {"a.yaml": text})}})
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        project.__dict__["world"] = replace(project.world, helm=_Mute(project.world.helm))
        done = project.execute(project.plan(), command="apply")
        assert done.exit_code == 1
        (row,) = done.record.releases
        assert row.state is OpState.INTENDED
    (recovered,) = bench.ok("recover", "-o", "json").json["deployments"]
    assert recovered["status"] == "interrupted"  # what came after it was not done
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        (row,) = project.show("latest").releases
        assert (row.state, row.revision_after) == (OpState.APPLIED, 1)
        assert "a" in {key.name for key in project.ledger.inventory(project.target)}
    bench.ok("resume", "-y")
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_helm_that_could_not_write_down_its_end_has_failed(bench: Bench, fail: Fail) -> None:
    """Helm itself calls that a success, and leaves the release in the middle of its action."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    bench.project({"c": {"type": "helm", "chart": bench.chart("c", {"a.yaml": text})}})
    fail(verb="update", kind="Secret", status=409, times=1)
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 1 and ran.json["deployment"]["status"] == "failed"
    assert "left as pending-install" in ran.json["deployment"]["error"]
    bench.ok("apply", "-y")
    assert bench.ok("plan", "--exit-status").code == 0
    assert bench.ok("status", "--exit-status").code == 0
