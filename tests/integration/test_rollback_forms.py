"""Rollback in all its forms: what comes back, what goes, what stands in the way, and what the record says."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _start, _until
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def deploy(bench: Bench, *objects: dict[str, Any], **settings: Any) -> str:
    """Apply a project of one YAML app; gives the deployment's id."""
    bench.write("m.yaml", list(objects))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, **settings)
    return str(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])


def web(bench: Bench, greeting: str, **app: Any) -> str:
    """Apply a project of one Helm app; gives the deployment's id."""
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    spec = {"type": "helm", "chart": chart, "values": [{"greeting": greeting}], "timeout": 30, **app}
    bench.project({"web": spec})
    return str(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])


def data(server: HttpCluster, bench: Bench, name: str) -> dict[str, str] | None:
    """The data of a ConfigMap, None where there is none."""
    live = get(server, "ConfigMap", bench.namespace, name)
    return None if live is None else dict(live["data"])


def edit(server: HttpCluster, bench: Bench, body: dict[str, Any], manager: str = "anna") -> None:
    """Somebody applies an object by hand."""
    meta = {**body["metadata"], "namespace": bench.namespace}
    server.apply({**body, "metadata": meta}, manager=manager, force=True)


def key(bench: Bench, kind: str, name: str, group: str = "") -> ResourceKey:
    return ResourceKey(group, "v1", kind, bench.namespace, name)


def test_what_others_added_stays_and_what_we_added_goes(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    edit(api_server, bench, configmap("a", theirs="1"))
    deploy(bench, configmap("a", x="2", ours="1"), configmap("b", x="1"))
    edit(api_server, bench, configmap("a", theirs="2"))
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "1", "theirs": "2"}
    assert data(api_server, bench, "b") is None
    assert bench.ok("diff", "-o", "json").json["summary"]["create"] == 1  # only what was rolled back


def test_an_edited_object_is_named_with_field_and_manager(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"), configmap("b", x="1"))
    edit(api_server, bench, configmap("a", x="by hand"))
    api_server.delete(key(bench, "ConfigMap", "b"))
    ran = bench.sbkube("rollback", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 3
    messages = [problem["message"] for problem in ran.json["problems"]]
    assert any("ConfigMap/a" in m and "data.x by anna at 2" in m for m in messages)
    assert any("ConfigMap/b" in m and "deleted by somebody" in m for m in messages)
    assert "by hand" not in str(messages)  # never values
    assert data(api_server, bench, "a") == {"x": "by hand"}
    shown = bench.ok("rollback", "--force", "--dry-run")
    assert "data.x was changed by anna" in shown.out
    bench.ok("rollback", "-y", "--force")
    assert data(api_server, bench, "a") == {"x": "1"}


def test_an_edited_object_of_a_release_wants_force(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    web(bench, "two")
    edit(api_server, bench, configmap("web-page", greeting="by hand"))
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3
    assert "ConfigMap/web-page" in ran.err and "data.greeting by anna" in ran.err and "--force" in ran.err
    bench.ok("rollback", "-y", "--force")
    assert data(api_server, bench, "web-page") == {"greeting": "one"}


def test_a_replaced_object_is_not_taken_for_ours(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"), configmap("b", x="1"))
    api_server.delete(key(bench, "ConfigMap", "b"))
    edit(api_server, bench, configmap("b", x="1"))
    assert "replaced" in bench.sbkube("rollback", "-y").err
    ran = bench.ok("rollback", "-y", "--force")
    assert data(api_server, bench, "b") == {"x": "1"}  # not ours to delete
    assert "ConfigMap/b" in ran.out and "is kept" in ran.out


def test_a_rollback_is_rolled_back(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"), configmap("b", x="1"))
    bench.ok("rollback", "-y")
    bench.ok("apply", "--app", "a", "--dry-run")
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "2"} and data(api_server, bench, "b") == {"x": "1"}
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "1"} and data(api_server, bench, "b") is None


def test_runs_without_operations_are_skipped(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"))
    deploy(bench, configmap("a", x="2"))
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "1"}


def test_several_deployments_at_once(bench: Bench, api_server: HttpCluster) -> None:
    first = deploy(bench, configmap("a", x="1"), configmap("gone", x="1"))
    second = deploy(bench, configmap("a", x="2"), configmap("b", x="1"))
    deploy(bench, configmap("a", x="3"), configmap("b", x="2"), configmap("c", x="1"))
    bench.ok("rollback", second, "-y")
    assert data(api_server, bench, "a") == {"x": "1"} and data(api_server, bench, "gone") == {"x": "1"}
    assert data(api_server, bench, "b") is None and data(api_server, bench, "c") is None
    bench.ok("rollback", "--to", second, "-y")
    assert data(api_server, bench, "a") == {"x": "2"} and data(api_server, bench, "b") == {"x": "1"}
    bench.ok("rollback", "--to", first, "-y")
    assert data(api_server, bench, "a") == {"x": "1"} and data(api_server, bench, "b") is None
    assert bench.ok("rollback", "--to", "latest", "-y", "-o", "json").json["summary"]["change"] == 0


def test_only_one_app(bench: Bench, api_server: HttpCluster) -> None:
    def both(x: str) -> None:
        for name in ("a", "b"):
            bench.write(f"{name}.yaml", configmap(name, x=x))
        bench.project({n: {"type": "yaml", "manifests": [f"{n}.yaml"]} for n in ("a", "b")})
        bench.ok("apply", "-y")

    both("1")
    bench.ok("delete", "-y")
    bench.ok("rollback", "--app", "b", "-y")  # with the namespace that it lies in
    assert data(api_server, bench, "a") is None and data(api_server, bench, "b") == {"x": "1"}
    assert bench.sbkube("rollback", "--app", "c", "-y").code == 2
    assert bench.sbkube("delete", "--app", "c", "-y").code == 2
    both("1")
    both("2")
    bench.ok("rollback", "--app", "b", "-y")
    assert data(api_server, bench, "a") == {"x": "2"} and data(api_server, bench, "b") == {"x": "1"}


def test_the_first_deployment_leaves_nothing_and_can_come_again(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"), deployment("d"))
    bench.ok("rollback", "-y")
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is None
    status = bench.sbkube("status", "-o", "json").json
    assert [len(app["objects"]) for app in status["apps"]] == [0]
    assert status["last"]["command"] == "rollback" and status["last"]["status"] == "success"
    assert bench.ok("delete", "-y", "-o", "json").json["summary"]["delete"] == 0
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "1"}
    bench.ok("apply", "-y")


def test_a_release_deleted_and_installed_anew_goes_back_to_what_it_was(
    bench: Bench, api_server: HttpCluster
) -> None:
    """Both lives of the release have a revision 1; the number alone does not tell which."""
    first = web(bench, "one")
    bench.ok("delete", "-y")
    web(bench, "two")
    bench.ok("rollback", "--to", first, "-y")
    assert data(api_server, bench, "web-page") == {"greeting": "one"}
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "web-page") == {"greeting": "two"}


def test_rollback_of_a_delete_and_of_that_again(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    bench.ok("delete", "-y")
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "web-page") == {"greeting": "one"}
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "web-page") is None
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is None


def test_a_release_uninstalled_by_hand_is_put_back_with_force(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project

    web(bench, "one")
    web(bench, "two")
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        project.world.helm.uninstall("web", bench.namespace, timeout=30, wait=True)
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "uninstalled by somebody" in ran.err
    bench.ok("rollback", "-y", "--force")
    assert data(api_server, bench, "web-page") == {"greeting": "one"}


def test_a_renamed_release_gets_its_name_back(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one", release_name="old")
    web(bench, "one", release_name="new")
    assert data(api_server, bench, "old-page") is None
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "old-page") == {"greeting": "one"}
    assert data(api_server, bench, "new-page") is None


def test_what_a_failed_upgrade_created_goes(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.write(
        "charts/web/templates/more.yaml", [configmap("more", x="1"), deployment("bad", fail="ErrImagePull")]
    )
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": "two"}], "timeout": 20}})
    assert bench.sbkube("apply", "-y").code == 1
    assert data(api_server, bench, "more") == {"x": "1"}
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "more") is None
    assert data(api_server, bench, "web-page") == {"greeting": "one"}
    assert get(api_server, "Deployment", bench.namespace, "bad", "apps") is None


def test_a_failed_deployment_is_undone_though_its_old_state_is_not_ready(
    bench: Bench, api_server: HttpCluster
) -> None:
    bench.write("m.yaml", [deployment("d", fail="ErrImagePull")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=20)
    assert bench.sbkube("apply", "-y").code == 1
    deploy(bench, deployment("d"), configmap("b", x="1"), timeout=20)
    assert bench.sbkube("rollback", "-y").code == 1  # not healthy, as before
    assert data(api_server, bench, "b") is None


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_data_goes_only_with_consent(bench: Bench, api_server: HttpCluster) -> None:
    first = deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="1"), CLAIM)
    ran = bench.ok("rollback", "-y")
    assert "PersistentVolumeClaim/data" in ran.out and "--delete-data" in ran.out
    assert get(api_server, "PersistentVolumeClaim", bench.namespace, "data") is not None
    bench.ok("rollback", "--to", first, "-y", "--delete-data")
    assert get(api_server, "PersistentVolumeClaim", bench.namespace, "data") is None


def _job(image: str) -> dict[str, Any]:
    container = {"name": "c", "image": image}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


def test_immutable_fields_go_back_by_making_the_object_anew(bench: Bench, api_server: HttpCluster) -> None:
    first = deploy(bench, configmap("a", x="1"), _job("one"))
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="1"), _job("two"))
    plan = bench.ok("rollback", "--to", first, "--dry-run", "-o", "json").json["plan"]
    assert plan["summary"]["recreate"] == 1
    bench.ok("rollback", "--to", first, "-y")
    live = api_server.get(ResourceKey("batch", "v1", "Job", bench.namespace, "j"))
    assert live is not None and live["spec"]["template"]["spec"]["containers"][0]["image"] == "one"


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


def test_secrets_come_back_and_without_the_key_it_says_what_is_missing(
    bench: Bench, api_server: HttpCluster
) -> None:
    deploy(bench, SECRET | {"stringData": {"p": "planted-one"}}, configmap("a", x="1"))
    deploy(bench, SECRET | {"stringData": {"p": "planted-two"}}, configmap("a", x="2"))
    file = Path(os.environ["SBKUBE_STATE_URL"]).with_name("deployments.db.key")
    key_text = file.read_text()
    file.unlink()
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "Secret/s" in ran.err and "SBKUBE_STATE_KEY" in ran.err
    assert data(api_server, bench, "a") == {"x": "2"}
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(key_text)
    ran = bench.ok("rollback", "-y", "-v")
    assert "planted" not in ran.out + ran.err
    live = get(api_server, "Secret", bench.namespace, "s")
    assert live is not None and live["data"]["p"] == "cGxhbnRlZC1vbmU="
    assert data(api_server, bench, "a") == {"x": "1"}


def test_labels_on_an_earlier_release_are_taken_off_again(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project
    from sbkube.models.release import ReleaseSpec

    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": "two"}], "timeout": 30}})
    api_server.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}, manager="anna"
    )
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        spec = ReleaseSpec("web", bench.namespace, str(bench.folder / chart), {"greeting": "one"})
        project.world.helm.install(spec, threading.Event())
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["metadata"]["labels"]["sbkube.dev/project"] == bench.namespace
    bench.ok("rollback", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["data"] == {"greeting": "one"}
    assert "sbkube.dev/project" not in live["metadata"]["labels"]


def test_a_resumed_deployment_is_undone_as_one_story(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    bench.write("m.yaml", [configmap("a", x="2"), deployment("slow", ready_after="4")])
    bench.write("b.yaml", configmap("b", x="1"))
    apps: dict[str, Any] = {n: {"type": "yaml", "manifests": [f"{f}.yaml"]} for n, f in (("a", "m"), ("b", "b"))}
    apps["b"]["depends_on"] = ["a"]
    bench.project(apps, timeout=60)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) == 130
    bench.ok("resume", "-y")
    assert data(api_server, bench, "b") == {"x": "1"}
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "a") == {"x": "1"} and data(api_server, bench, "b") is None
    assert get(api_server, "Deployment", bench.namespace, "slow", "apps") is None


@pytest.mark.parametrize("words", [("rollback", "nothing-of-that-name"), ("rollback", "--to", "latest~99")])
def test_what_is_not_there_is_said(bench: Bench, words: tuple[str, ...]) -> None:
    deploy(bench, configmap("a", x="1"))
    ran = bench.sbkube(*words, "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 5
    assert ran.json["error"] == "deployment-not-found"


def test_history_can_be_asked_for_what_was_rolled_back(bench: Bench) -> None:
    for x in ("1", "2"):
        deploy(bench, configmap("a", x=x))
    bench.ok("rollback", "-y")
    documents = bench.ok("history", "-o", "json").json["deployments"]
    (undone,) = bench.ok("history", "--status", "rolled_back", "-o", "json").json["deployments"]
    assert undone["deployment_id"] == documents[1]["deployment_id"]
    assert undone["rolled_back_by"] == documents[0]["deployment_id"]
