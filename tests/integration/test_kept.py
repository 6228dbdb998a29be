"""What must survive: data, what others did, and what belongs to another project."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.errors import PlanRefused
from sbkube.models.resource import ResourceKey

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def _one(bench: Bench, content: object) -> None:
    bench.write("m.yaml", content)  # type: ignore[arg-type]
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})


def test_a_namespace_stays_with_what_was_kept_in_it(bench: Bench, api_server: HttpCluster) -> None:
    kept = configmap("kept", x="1")
    kept["metadata"]["annotations"] = {"sbkube.dev/deletion": "keep"}
    _one(bench, [CLAIM, kept, configmap("gone", x="1")])
    bench.ok("apply", "-y")
    ran = bench.ok("delete", "-y")
    assert "PersistentVolumeClaim/data" in ran.out
    assert get(api_server, "PersistentVolumeClaim", bench.namespace, "data") is not None
    assert get(api_server, "ConfigMap", bench.namespace, "kept") is not None
    assert get(api_server, "ConfigMap", bench.namespace, "gone") is None
    bench.ok("delete", "-y")


def test_rollback_of_the_first_apply_takes_its_namespace_along(bench: Bench, api_server: HttpCluster) -> None:
    _one(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is None


def _web(bench: Bench, values: dict[str, object]) -> None:
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.project({"web": {"type": "helm", "chart": chart, "values": [values], "timeout": 20}})


def test_rollback_after_a_failed_upgrade_goes_to_the_last_good_one(bench: Bench, api_server: HttpCluster) -> None:
    for greeting in ("one", "two"):
        _web(bench, {"greeting": greeting})
        bench.ok("apply", "-y")
    bench.write(
        "charts/web/templates/bad.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: bad, annotations: {helm.sh/hook: pre-upgrade}}\n"
        "spec:\n  backoffLimit: 0\n  template:\n"
        "    metadata: {annotations: {sandbox.sbkube.dev/fail: Error}}\n"
        "    spec: {restartPolicy: Never, containers: [{name: c, image: x}]}\n",
    )
    chart = "./charts/web"
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": "three"}], "timeout": 20}})
    assert bench.sbkube("apply", "-y").code == 1
    bench.ok("rollback", "-y")
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "two"


def test_another_folder_of_the_same_name_prunes_nothing(
    bench: Bench, api_server: HttpCluster, tmp_path: Path
) -> None:
    _one(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    bench.folder = tmp_path / "elsewhere"
    bench.project({"nothing": {"type": "noop"}})
    ran = bench.ok("apply", "-y")
    assert "--same-project" in ran.out + ran.err
    assert get(api_server, "ConfigMap", bench.namespace, "a") is not None
    bench.ok("apply", "-y", "--same-project")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is None


def test_a_plan_that_was_overtaken_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project

    _one(bench, configmap("a", x="1"))
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        plan = project.plan()
        bench.ok("apply", "-y")
        with pytest.raises(PlanRefused, match="since this plan was made"):
            project.execute(plan, command="apply")


def test_a_plan_made_while_another_run_was_at_work_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    """It was made on top of a deployment that had not changed anything yet."""
    from sbkube.api import Where, open_project
    from sbkube.models.outcome import Event

    where = Where(kubeconfig=str(bench.config))
    _one(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    _one(bench, configmap("a", x="2"))
    begun, on = threading.Event(), threading.Event()

    def listen(event: Event) -> None:
        if event.kind == "deployment.started":
            begun.set()
            on.wait(60)

    def theirs() -> None:
        with open_project(bench.folder, listener=listen, where=where) as other:
            other.execute(other.plan(), command="apply")

    run = threading.Thread(target=theirs)
    run.start()
    assert begun.wait(60)
    _one(bench, configmap("a", x="3"))
    with open_project(bench.folder, where=where) as project:
        plan = project.plan()
        on.set()
        run.join()
        with pytest.raises(PlanRefused, match="since this plan was made"):
            project.execute(plan, command="apply")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "2"}


def test_a_release_changed_by_hand_wants_force(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project
    from sbkube.models.release import ReleaseSpec

    _web(bench, {"greeting": "one"})
    bench.ok("apply", "-y")
    _web(bench, {"greeting": "two"})
    bench.ok("apply", "-y")
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        chart = str(bench.folder / "charts" / "web")
        spec = ReleaseSpec("web", bench.namespace, chart, {"greeting": "by hand", "replicas": 1})
        project.world.helm.upgrade(spec, threading.Event())
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "--force" in ran.err
    bench.ok("rollback", "-y", "--force")
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "one"


def test_history_counts_what_happened_and_not_what_was_planned(bench: Bench) -> None:
    """The second app never starts, because the first fails."""
    bench.write("bad.yaml", [deployment("broken", fail="ImagePullBackOff")])
    bench.write("good.yaml", [configmap("a", x="1"), configmap("b", x="1")])
    bench.project(
        {"bad": {"type": "yaml", "manifests": ["bad.yaml"]}, "good": {"type": "yaml", "manifests": ["good.yaml"]}},
        timeout=60,
    )
    assert bench.sbkube("apply", "-y").code == 1
    counts = bench.ok("history", "-o", "json").json["deployments"][0]["counts"]
    assert counts["create"] == 2  # the namespace and the broken Deployment


def test_all_apps_in_other_namespaces_and_delete_twice(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    elsewhere = f"{bench.namespace}-x"
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"], "namespace": elsewhere}})
    bench.ok("delete", "-y")
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", elsewhere, "a") is not None
    bench.ok("delete", "-y")
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", elsewhere)) is None
    bench.ok("delete", "-y")
    bench.project({"nothing": {"type": "noop"}})
    bench.ok("apply", "-y")


def test_rollback_to_a_deployment_restores_what_it_left(bench: Bench, api_server: HttpCluster) -> None:
    """Somebody's edit in between is not part of what we left."""
    _one(bench, configmap("a", x="1"))
    wanted = bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"]
    by_hand = configmap("a", x="by hand")
    by_hand["metadata"]["namespace"] = bench.namespace
    api_server.apply(by_hand, manager="somebody", force=True)
    _one(bench, [configmap("a", x="2"), configmap("b", x="1")])
    bench.ok("apply", "-y")
    bench.ok("rollback", "--to", wanted, "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None


def test_retention_keeps_so_many_deployments_of_this_project_alone(bench: Bench) -> None:
    def deploy(colour: str, name: str, **state: object) -> None:
        bench.write("m.yaml", configmap("page", colour=colour))
        document = {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": f"{bench.namespace}-{name}"},
            "settings": {"namespace": f"{bench.namespace}-{name}", "state": state},
            "apps": {"a": {"type": "yaml", "manifests": ["m.yaml"]}},
        }
        bench.write("sbkube.yaml", document)
        bench.ok("apply", "-y")

    for colour in ("1", "2", "3"):
        deploy(colour, "other")
    for colour in ("1", "2", "3", "4", "5"):
        deploy(colour, "own", retention=2)
    # The first one made the namespace: that it did must not be forgotten.
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 3
    assert len(bench.ok("history", "--all-projects", "-o", "json").json["deployments"]) == 6
    assert bench.ok("state", "verify").code == 0
    bench.ok("rollback", "-y")
    deploy("6", "own", retention="90d")
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 4


def test_nothing_goes_back_over_what_was_forgotten(bench: Bench, api_server: HttpCluster) -> None:
    def deploy(**objects: str) -> None:
        bench.write("m.yaml", [configmap(name, v=value) for name, value in objects.items()])
        bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, state={"retention": 2})
        bench.ok("apply", "-y")

    for objects in ({"a": "1"}, {"a": "1", "c": "1"}, {"a": "1"}, {"a": "2"}):
        deploy(**objects)
    listed = [d["deployment_id"] for d in bench.ok("history", "-o", "json").json["deployments"]]
    assert len(listed) == 3  # the first holds what is still there
    for words in (("--to", listed[-1]), (listed[-1],)):
        ran = bench.sbkube("rollback", *words, "-y")
        assert ran.code == 3 and "have been forgotten" in ran.err
    bench.ok("rollback", listed[1], "-y")
    assert {n: bool(get(api_server, "ConfigMap", bench.namespace, n)) for n in "ac"} == {"a": True, "c": True}
    found = get(api_server, "ConfigMap", bench.namespace, "a")
    assert found is not None and found["data"] == {"v": "1"}
