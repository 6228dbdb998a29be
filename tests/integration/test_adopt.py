"""`adopt`: taking over what exists, changing nothing of it but labels and ownership."""

from __future__ import annotations

import json
import threading
from typing import Any

from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, namespace, placed
from integration.test_release_plans import helm, spec, web
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey
from sbkube.plan.redact import LAST_APPLIED


def _bare(live: dict[str, Any] | None) -> dict[str, Any]:
    """An object without what an adoption may write."""
    assert live is not None
    meta = {k: v for k, v in live["metadata"].items() if k not in {"labels", "managedFields", "resourceVersion"}}
    return {**live, "metadata": meta}


def test_objects_get_labels_and_nothing_else_and_the_plan_is_empty(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    for body in (configmap("a", x="1"), deployment("web")):
        api_server.create(placed(body, bench), manager="kubectl-create")
    before = _bare(get(api_server, "ConfigMap", bench.namespace, "a"))
    app(bench, configmap("a", x="1"), deployment("web"), configmap("new", x="1"))
    shown = bench.ok("adopt", "--dry-run")
    assert "adopted; takes over from kubectl-create" in shown.out
    assert bench.sbkube("adopt").code == 2  # asks first
    bench.ok("adopt", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert _bare(live) == before
    assert live is not None and live["metadata"]["labels"]["sbkube.dev/project"] == bench.namespace
    assert get(api_server, "ConfigMap", bench.namespace, "new") is None
    newest = bench.ok("history", "-o", "json").json["deployments"][0]
    assert newest["command"] == "adopt" and newest["status"] == "success"
    app(bench, configmap("a", x="1"), deployment("web"))
    assert bench.ok("plan", "--exit-status").code == 0
    assert bench.ok("drift").code == 0


def test_what_differs_is_refused_until_it_may_be_changed(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="theirs", more="1"), bench), manager="kubectl-create")
    app(bench, configmap("a", x="ours"))
    ran = bench.sbkube("adopt", "-y")
    assert ran.code == 3 and "data.more" in ran.err and "data.x" in ran.err and "--force" in ran.err
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "theirs", "more": "1"}
    bench.ok("adopt", "-y", "--force")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "ours"}


def test_names_choose_and_unknown_ones_are_refused(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    for name in ("a", "b"):
        api_server.create(placed(configmap(name, x="1"), bench), manager="kubectl-create")
    app(bench, configmap("a", x="1"), configmap("b", x="1"), configmap("c", x="1"))
    bench.ok("adopt", "configmap/a", "-y")
    first, second = (get(api_server, "ConfigMap", bench.namespace, name) for name in ("a", "b"))
    assert first is not None and first["metadata"]["labels"]["sbkube.dev/app"] == "a"
    assert second is not None and "labels" not in second["metadata"]
    ran = bench.sbkube("adopt", "ConfigMap/c", "Secret/x", "-y")
    assert ran.code == 3 and "does not exist" in ran.err and "Secret/x is not described" in ran.err
    assert "already" in bench.ok("adopt", "ConfigMap/a", "-y").out


def test_adopted_objects_can_be_deleted_and_rolled_back_but_their_namespace_stays(
    bench: Bench, api_server: HttpCluster
) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="1"), bench), manager="kubectl-create")
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    app(bench, place, configmap("a", x="1"))
    bench.ok("adopt", "-y")
    bench.ok("rollback", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}
    assert "sbkube.dev/app" not in (live["metadata"].get("labels") or {})
    bench.ok("adopt", "-y", "--force")
    bench.ok("apply", "-y")
    bench.ok("delete", "-y", "--delete-data")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is None
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is not None


def test_objects_of_another_project_want_force(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    other = placed(configmap("a", x="1"), bench)
    other["metadata"]["labels"] = {"sbkube.dev/project": "other", "sbkube.dev/app": "a"}
    api_server.apply(other, manager="sbkube", force=False)
    app(bench, configmap("a", x="1"))
    ran = bench.sbkube("adopt", "-y")
    assert ran.code == 3 and "belongs to project other" in ran.err
    bench.ok("adopt", "-y", "--force")
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_release_is_adopted_without_a_new_revision(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    bench.ok("adopt", "web", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "web-page") == page
    record = get(api_server, "Secret", bench.namespace, "sh.helm.release.v1.web.v1")
    assert record is not None and record["metadata"]["labels"]["sbkube.dev/project"] == bench.namespace
    assert record["metadata"]["labels"]["owner"] == "helm"
    assert bench.ok("plan", "--exit-status").code == 0
    assert any(a["name"] == "web" and a["objects"] for a in bench.ok("status", "-o", "json").json["apps"])
    web(bench, "two")
    bench.ok("apply", "-y")
    changed = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert changed is not None and changed["data"]["greeting"] == "two"
    assert changed["metadata"]["labels"]["sbkube.dev/app"] == "web"


def test_an_adopted_release_can_be_deleted(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    bench.ok("adopt", "-y")
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "web-page") is None


def test_a_release_that_differs_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "two")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    ran = bench.sbkube("adopt", "-y")
    assert ran.code == 3 and "ConfigMap/web-page data.greeting" in ran.err
    bench.ok("adopt", "-y", "--force")
    live = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert live is not None and live["data"]["greeting"] == "two"


def test_a_release_of_another_project_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one", labels={"sbkube.dev/project": "other"}), threading.Event())
    ran = bench.sbkube("adopt", "web", "-y")
    assert ran.code == 3 and "belongs to project other" in ran.err


def _owners(live: dict[str, Any] | None) -> list[tuple[str, str, Any]]:
    assert live is not None
    return [(e["manager"], e["operation"], e["fieldsV1"]) for e in live["metadata"]["managedFields"]]


def test_rolling_back_an_adoption_gives_everything_back(bench: Bench, api_server: HttpCluster) -> None:
    """Labels, annotations and ownership are as they were, and it is not ours to delete any more."""
    namespace(bench, api_server)
    body = placed(configmap("a", x="1"), bench)
    body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(body)}
    api_server.create(body, manager="kubectl-client-side-apply")
    before = get(api_server, "ConfigMap", bench.namespace, "a")
    app(bench, configmap("a", x="1"))
    bench.ok("adopt", "-y")
    assert "given back" in bench.ok("rollback", "-y").out
    after = get(api_server, "ConfigMap", bench.namespace, "a")
    assert before is not None and after is not None
    assert _bare(after) == _bare(before) and _owners(after) == _owners(before)
    assert "labels" not in after["metadata"]
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is not None
    assert bench.ok("drift").code == 0
    bench.ok("adopt", "-y")
    adopted = get(api_server, "ConfigMap", bench.namespace, "a")
    assert bench.ok("plan", "--exit-status").code == 0
    bench.ok("rollback", "-y")
    shown = bench.ok("rollback", "-y").out  # the rollback: it is ours again
    assert "takes over from kubectl-client-side-apply" in shown
    again = get(api_server, "ConfigMap", bench.namespace, "a")
    assert _bare(again) == _bare(adopted) and _owners(again) == _owners(adopted)
    assert bench.ok("plan", "--exit-status").code == 0
    app(bench, configmap("a", z="2"))
    bench.ok("apply", "-y")
    changed = get(api_server, "ConfigMap", bench.namespace, "a")
    assert changed is not None and changed["data"] == {"z": "2"}
    bench.ok("rollback", "-y")
    bench.ok("rollback", "-y")
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_first_apply_over_what_others_had_is_given_back_too(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.apply(placed(configmap("a", x="theirs", more="1"), bench), manager="argocd", force=False)
    before = get(api_server, "ConfigMap", bench.namespace, "a")
    app(bench, configmap("a", x="ours", new="1"))
    bench.ok("apply", "-y", "--force-conflicts")
    bench.ok("rollback", "-y")
    after = get(api_server, "ConfigMap", bench.namespace, "a")
    assert before is not None and after is not None
    assert after["data"] == before["data"] and _owners(after) == _owners(before)
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is not None


def test_rolling_back_the_adoption_of_a_release_takes_our_labels_off(
    bench: Bench, api_server: HttpCluster
) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    record = "sh.helm.release.v1.web.v1"
    before = get(api_server, "Secret", bench.namespace, record)
    assert record in bench.ok("adopt", "--dry-run").out
    bench.ok("adopt", "-y")
    bench.ok("rollback", "-y")
    after = get(api_server, "Secret", bench.namespace, record)
    assert before is not None and after is not None
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "web-page") is not None


def _record_labels(bench: Bench, cluster: HttpCluster, revision: int) -> dict[str, str]:
    record = get(cluster, "Secret", bench.namespace, f"sh.helm.release.v1.web.v{revision}")
    assert record is not None
    return {k: v for k, v in record["metadata"]["labels"].items() if k.startswith("sbkube.dev/")}


def test_what_others_change_of_an_adopted_release_is_drift(bench: Bench, api_server: HttpCluster) -> None:
    """From the adoption on, not only from the first upgrade."""
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
        bench.ok("adopt", "-y")
        shown = bench.ok("show", "latest", "-o", "json").json
        assert {r["state"] for r in shown["resources"]} == {"applied"} and len(shown["releases"]) == 1
        assert bench.ok("drift").code == 0
        page = ResourceKey("", "v1", "ConfigMap", bench.namespace, "web-page")
        api_server.merge(page, {"data": {"greeting": "by hand"}}, manager="kubectl-edit")
        ran = bench.sbkube("drift")
        assert ran.code == 10 and "data.greeting" in ran.out
        port.upgrade(spec(bench, "two", force_conflicts=True), threading.Event())
    ran = bench.sbkube("drift")
    assert ran.code == 10 and "revision 2" in ran.out
    assert "we left it at 1" in bench.sbkube("rollback", "-y").err


def test_rolling_back_to_before_an_adoption_that_was_built_on(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    web(bench, "one")
    with helm(bench) as port:
        port.install(spec(bench, "one"), threading.Event())
    bench.ok("adopt", "-y")
    adoption = bench.ok("history", "-o", "json").json["deployments"][0]["deployment_id"]
    web(bench, "two")
    bench.ok("apply", "-y")
    assert _record_labels(bench, api_server, 2)
    assert "will not be the project's" in bench.ok("rollback", adoption, "-y").out
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "one"
    assert not any(name.startswith("sbkube.dev/") for name in page["metadata"].get("labels") or {})
    assert [_record_labels(bench, api_server, revision) for revision in (1, 2, 3)] == [{}, {}, {}]
    assert bench.ok("drift").code == 0
    bench.ok("rollback", "-y")  # the rollback: the release is ours again, as it was
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "two"
    assert _record_labels(bench, api_server, 4) == {"sbkube.dev/app": "web", "sbkube.dev/project": bench.namespace}
    assert bench.ok("plan", "--exit-status").code == 0
    bench.ok("rollback", adoption, "-y")
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "web-page") is not None
