"""What a plan finds out about releases before Helm would fail over it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import edit, namespace, placed
from integration.test_recreate import job
from shapes import WEB_CHART, WEB_VALUES, configmap

from sbkube.api import Where, open_project
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.helm_sdk import SdkHelm
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.ports import HelmPort


def web(bench: Bench, greeting: str, **more: Any) -> None:
    """A project with the release `web`."""
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": greeting}], **more}})


@contextmanager
def helm(bench: Bench) -> Iterator[HelmPort]:
    """Helm in other hands."""
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        yield project.world.helm


def spec(bench: Bench, greeting: str, **more: Any) -> ReleaseSpec:
    """The release `web` as others deploy it."""
    return ReleaseSpec("web", bench.namespace, str(bench.folder / "charts/web"), {"greeting": greeting}, **more)


def test_an_object_that_is_not_helms_is_refused_and_adopted_by_force(
    bench: Bench, api_server: HttpCluster
) -> None:
    namespace(bench, api_server)
    api_server.apply(placed(configmap("web-page", greeting="hello"), bench), manager="somebody", force=False)
    web(bench, "hello")
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 3
    (problem,) = ran.json["problems"]
    assert "web-page" in problem["message"] and "is not Helm's" in problem["message"]
    assert "force_adopt: true" in problem["hint"] and problem["place"]["file"]
    web(bench, "hello", force_adopt=True)
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["metadata"]["annotations"]["meta.helm.sh/release-name"] == "web"
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_release_of_another_project_is_refused(bench: Bench) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.write(
        "sbkube.yaml",
        {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": "other"},
            "settings": {"namespace": bench.namespace},
            "apps": {"web": {"type": "helm", "chart": chart, "values": [{"greeting": "two"}]}},
        },
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and f"belongs to project {bench.namespace}" in ran.err


def test_conflicts_in_a_release_name_field_and_manager(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "web-page", {"data": {"theirs": "1"}}, "operator")
    bench.write(
        "charts/web/templates/web.yaml",
        WEB_CHART["web.yaml"].replace("data: {greeting", 'data: {theirs: "2", greeting'),
    )
    bench.project({"web": {"type": "helm", "chart": "./charts/web", "values": [{"greeting": "one"}]}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "data.theirs belongs to field manager 'operator' (Update" in ran.err
    bench.ok("apply", "-y", "--force-conflicts")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["data"]["theirs"] == "2"


def test_drift_of_a_release_goes_back(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "web-page", {"data": {"greeting": "by hand"}}, "kubectl-edit")
    fields = [f for c in bench.ok("plan", "-o", "json").json["apps"][0]["changes"] for f in c["fields"]]
    assert [(f["path"], f["cause"], f["manager"]) for f in fields] == [("data.greeting", "drift", "kubectl-edit")]
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["data"]["greeting"] == "one"


def test_scaled_replicas_of_a_release_are_no_change_and_no_fight(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    edit(api_server, bench, "Deployment", "web", {"spec": {"replicas": 2}}, "kube-controller-manager")
    assert bench.ok("plan", "--exit-status").code == 0
    web(bench, "two")
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "spec.replicas (set by kube-controller-manager)" in ran.err


def test_a_job_of_a_chart_is_cleared_before_the_upgrade(bench: Bench, api_server: HttpCluster) -> None:
    def chart(image: str) -> None:
        path = bench.chart("jobs", {"j.yaml": yaml.safe_dump(job("j", image))})
        bench.project({"jobs": {"type": "helm", "chart": path}})

    def image() -> str:
        live = api_server.get(ResourceKey("batch", "v1", "Job", bench.namespace, "j"))
        assert live is not None
        return str(live["spec"]["template"]["spec"]["containers"][0]["image"])

    chart("one:1")
    bench.ok("apply", "-y")
    chart("two:2")
    assert bench.ok("plan", "-o", "json").json["summary"]["recreate"] == 1
    bench.ok("apply", "-y")
    assert image() == "two:2"
    assert bench.ok("plan", "--exit-status").code == 0
    bench.ok("rollback", "-y")
    assert image() == "one:1"


def test_a_fixed_field_of_a_chart_is_refused_with_the_way_out(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    changed = WEB_CHART["web.yaml"].replace("{app: {{ .Release.Name }}}", "{app: other}")
    bench.write("charts/web/templates/web.yaml", changed)
    bench.project({"web": {"type": "helm", "chart": "./charts/web", "values": [{"greeting": "one"}]}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "spec.selector cannot be changed" in ran.err and "sbkube.dev/recreate" in ran.err


def test_a_release_of_helm_3_is_migrated_so_that_fields_go(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    page = "charts/web/templates/web.yaml"
    bench.write(page, WEB_CHART["web.yaml"].replace("data: {greeting", 'data: {gone: "1", greeting'))
    with helm(bench) as port:
        if not isinstance(port, SdkHelm):
            pytest.skip("client-side apply is reached through the SDK only")
        port._act("helm_install", spec(bench, "one", wait=False), threading.Event(), {"server_side_apply": False})
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None
    assert [(e["manager"], e["operation"]) for e in live["metadata"]["managedFields"]] == [("helm", "Update")]
    bench.write(page, WEB_CHART["web.yaml"])
    bench.project({"web": {"type": "helm", "chart": "./charts/web", "values": [{"greeting": "one"}]}})
    changes = bench.ok("plan", "-o", "json").json["apps"][0]["changes"]
    fields = {f["path"]: (f["before"], f["after"]) for c in changes for f in c["fields"]}
    assert fields["data.gone"] == ("1", None)
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["data"] == {"greeting": "one"}
    entries = {(e["manager"], e["operation"]) for e in live["metadata"]["managedFields"]}
    assert ("helm", "Apply") in entries and ("helm", "Update") not in entries
    assert bench.ok("plan", "--exit-status").code == 0


def test_labels_that_an_interrupted_run_left_out_are_completed(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("apply", "-y")
    labels = {"sbkube.dev/project": None, "sbkube.dev/app": None}
    edit(api_server, bench, "ConfigMap", "web-page", {"metadata": {"labels": labels}}, "sbkube")
    assert bench.sbkube("plan", "--exit-status").code == 10
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["metadata"]["labels"]["sbkube.dev/app"] == "web"
    assert bench.ok("plan", "--exit-status").code == 0
    secrets = api_server.resource_type("v1", "Secret")
    assert secrets is not None
    assert len(api_server.list(secrets, bench.namespace, labels="owner=helm")) == 1


def test_taking_over_a_release_of_others_is_said(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "two")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    assert "was not deployed by sbkube" in bench.ok("plan").out
    bench.ok("apply", "-y")
    assert "was not deployed by sbkube" not in bench.ok("plan").out


def test_an_upgrade_that_changes_no_object_is_one_all_the_same(bench: Bench) -> None:
    template = {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}
    for version in ("1.0.0", "1.0.1"):
        bench.project({"web": {"type": "helm", "chart": bench.chart("web", template, version=version)}})
        bench.ok("apply", "-y")
    newest, first = bench.ok("history", "-o", "json").json["deployments"]
    assert newest["counts"]["releases"] == first["counts"]["releases"] == 1
    assert "1 release" in bench.ok("history").out.splitlines()[1]
    bench.ok("rollback", "-y")
    assert "rolled back" in bench.ok("history").out.splitlines()[2]
