"""`drift`: what others changed since we last wrote."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, edit, placed
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def _drift(bench: Bench, code: int = 10, *words: str) -> dict[str, Any]:
    ran = bench.sbkube("drift", "-o", "json", *words)
    assert ran.code == code, ran.out + ran.err
    assert ran.json["drifted"] is (code == 10)
    return ran.json


def _objects(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{o['kind']}/{o['name']}": o for a in document["apps"] for o in a["objects"]}


def _key(bench: Bench, kind: str, name: str) -> ResourceKey:
    return ResourceKey("", "v1", kind, bench.namespace, name)


def test_there_is_none_after_an_apply(bench: Bench) -> None:
    app(bench, configmap("a", x="1"), deployment("web"))
    bench.ok("apply", "-y")
    assert _objects(_drift(bench, 0)) == {}
    assert "no drift" in bench.ok("drift").out
    assert "drifted: no" in bench.ok("drift", "-o", "llm").out
    assert "drifted: false" in bench.ok("drift", "-o", "yaml").out


def test_fields_name_value_manager_and_time(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1", gone="1"), deployment("web"))
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "a", {"data": {"x": "2", "gone": None, "new": "1"}}, "kubectl-edit")
    edit(api_server, bench, "Deployment", "web", {"metadata": {"annotations": {"note": "x"}}}, "operator")
    before = get(api_server, "ConfigMap", bench.namespace, "a")
    found = _objects(_drift(bench))
    assert set(found) == {"ConfigMap/a"}
    fields = {f["path"]: f for f in found["ConfigMap/a"]["fields"]}
    assert {p: (f["left"], f["now"]) for p, f in fields.items()} == {
        "data.x": ("1", "2"),
        "data.gone": ("1", None),
    }
    assert (fields["data.x"]["manager"], fields["data.x"]["operation"]) == ("kubectl-edit", "Update")
    assert fields["data.x"]["time"].startswith("20")
    assert get(api_server, "ConfigMap", bench.namespace, "a") == before
    text = bench.sbkube("drift").out
    assert "data.x: 1 → 2  by kubectl-edit at 20" in text
    bench.ok("apply", "-y")
    _drift(bench, 0)


def test_an_item_added_to_a_list_that_is_ours_as_a_whole(bench: Bench, api_server: HttpCluster) -> None:
    body = deployment("web")
    body["spec"]["template"]["spec"]["containers"][0]["args"] = ["a"]
    app(bench, body)
    bench.ok("apply", "-y")
    live = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert live is not None
    containers = live["spec"]["template"]["spec"]["containers"]
    containers[0]["args"] = ["a", "--theirs"]
    containers[0]["env"] = [{"name": "THEIRS", "value": "1"}]  # told apart by name: not ours
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    edit(api_server, bench, "Deployment", "web", patch, "kubectl-patch")
    (field,) = _objects(_drift(bench))["Deployment/web"]["fields"]
    assert field["path"].endswith("args") and field["now"] == ["a", "--theirs"]


def test_deleted_and_replaced_objects(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"), configmap("b", x="1"))
    bench.ok("apply", "-y")
    for name in ("a", "b"):
        api_server.delete(_key(bench, "ConfigMap", name))
    api_server.create(placed(configmap("b", x="1"), bench), manager="somebody")
    found = _objects(_drift(bench))
    assert found["ConfigMap/a"]["state"] == "missing" and found["ConfigMap/b"]["state"] == "replaced"


def test_only_some_apps(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("a.yaml", configmap("a", x="1"))
    bench.write("b.yaml", configmap("b", x="1"))
    bench.project({n: {"type": "yaml", "manifests": [f"{n}.yaml"]} for n in ("a", "b")})
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "a", {"data": {"x": "2"}}, "kubectl-edit")
    assert [a["name"] for a in _drift(bench, 0, "--app", "b")["apps"]] == ["b"]
    _drift(bench, 10, "--app", "a")


def test_what_an_autoscaler_sets_is_none(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, deployment("web", replicas=1))
    bench.ok("apply", "-y")
    edit(api_server, bench, "Deployment", "web", {"spec": {"replicas": 2}}, "kube-controller-manager")
    _drift(bench, 0)


def test_secrets_are_compared_and_masked_or_cannot_be_told(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    app(bench, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "one"}})
    bench.ok("apply", "-y")
    edit(api_server, bench, "Secret", "s", {"data": {"p": "cGxhbnRlZA=="}}, "kubectl-edit")
    (field,) = _objects(_drift(bench))["Secret/s"]["fields"]
    assert field["path"] == "data.p" and "masked" in field["now"] and "cGxhbnRlZA" not in str(field)
    from sbkube.api import new_state_key

    monkeypatch.setenv("SBKUBE_STATE_KEY", new_state_key())
    document = _drift(bench, 0)
    assert document["untold"] == 1 and "cannot tell" in _objects(document)["Secret/s"]["note"]


def test_releases_and_their_objects(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project
    from sbkube.models.release import ReleaseSpec

    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": "one"}]}})
    bench.ok("apply", "-y")
    _drift(bench, 0)
    edit(api_server, bench, "ConfigMap", "web-page", {"data": {"greeting": "by hand"}}, "kubectl-edit")
    found = _objects(_drift(bench))
    assert found["ConfigMap/web-page"]["fields"][0]["left"] == "one"
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        spec = ReleaseSpec(
            "web", bench.namespace, str(bench.folder / "charts/web"), {"greeting": "two"}, force_conflicts=True
        )
        project.world.helm.upgrade(spec, threading.Event())
    (release,) = _drift(bench)["apps"][0]["releases"]
    assert release["state"] == "changed"
    assert "revision 2" in release["notes"][0] and "other values: greeting" in release["notes"]
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        project.world.helm.uninstall("web", bench.namespace, timeout=30, wait=True)
    document = _drift(bench)
    assert document["apps"][0]["releases"][0]["state"] == "missing"
    assert _objects(document)["ConfigMap/web-page"]["state"] == "missing"


def test_another_order_of_items_is_drift_of_nobody_and_goes_back(bench: Bench, api_server: HttpCluster) -> None:
    body = deployment("web")
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": n, "image": "i:1"} for n in ("a", "b")]
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    app(bench, configmap("a", x="1"), body)
    bench.ok("apply", "-y")
    path = "/spec/template/spec/initContainers"
    live = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert live is not None
    turned = live["spec"]["template"]["spec"]["initContainers"][::-1]
    key = ResourceKey("apps", "v1", "Deployment", bench.namespace, "web")
    api_server.patch(key, [{"op": "replace", "path": path, "value": turned}], manager="kubectl-edit")
    ran = bench.sbkube("drift")
    assert ran.code == 10 and "initContainers: ['a', 'b'] → ['b', 'a']" in ran.out and "by sbkube" not in ran.out
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "initContainers by somebody" in ran.err
    bench.ok("apply", "-y")
    assert bench.ok("drift").code == 0


def test_an_app_that_nobody_knows_is_a_usage_error(bench: Bench) -> None:
    app(bench, configmap("a", x="1"))
    for verb in ("drift", "status"):
        assert bench.sbkube(verb, "--app", "typo").code == 2
