"""Pruning: what nobody wants any more goes, wherever it has been moved from; everything else stays."""

from __future__ import annotations

from typing import Any

from integration.conftest import Bench
from integration.test_apply import get
from integration.test_rollback_forms import data, deploy, edit, key
from shapes import WEB_CHART, WEB_VALUES, configmap

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def apps(bench: Bench, *names: str, **more: dict[str, Any]) -> None:
    """A project of YAML apps, each with the file of its name."""
    own: dict[str, Any] = {name: {"type": "yaml", "manifests": [f"{name}.yaml"]} for name in names}
    bench.project({name: {**own.get(name, {}), **more.get(name, {})} for name in (*own, *more)})


def test_an_app_that_left_the_file_or_is_disabled_goes(bench: Bench, api_server: HttpCluster) -> None:
    for name in ("a", "b", "c"):
        bench.write(f"{name}.yaml", configmap(name, x="1"))
    apps(bench, "a", "b", "c")
    bench.ok("apply", "-y")
    apps(bench, "a", "b", b={"enabled": False})
    shown = bench.ok("diff", "-o", "json").json
    assert shown["summary"]["delete"] == 2
    bench.ok("apply", "-y")
    assert data(api_server, bench, "a") == {"x": "1"}
    assert data(api_server, bench, "b") is None and data(api_server, bench, "c") is None
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False


def test_no_prune_and_the_setting_keep_everything(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"), configmap("b", x="1"))
    bench.write("m.yaml", configmap("a", x="1"))
    bench.ok("apply", "-y", "--no-prune")
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, prune=False)
    bench.ok("apply", "-y")
    assert data(api_server, bench, "b") == {"x": "1"}
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    assert data(api_server, bench, "b") is None


def test_an_object_that_moved_to_another_app_is_not_deleted(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("a.yaml", [configmap("stays", x="1"), configmap("moves", x="1")])
    bench.write("b.yaml", configmap("other", x="1"))
    apps(bench, "a", "b")
    bench.ok("apply", "-y")
    before = get(api_server, "ConfigMap", bench.namespace, "moves")
    bench.write("a.yaml", configmap("stays", x="1"))
    bench.write("b.yaml", [configmap("other", x="1"), configmap("moves", x="1")])
    bench.ok("apply", "-y", "--app", "a")  # `b` wants it now, though it is not part of this run
    assert data(api_server, bench, "moves") == {"x": "1"}
    bench.ok("apply", "-y")
    after = get(api_server, "ConfigMap", bench.namespace, "moves")
    assert before is not None and after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["sbkube.dev/app"] == "b"
    bench.write("b.yaml", configmap("other", x="1"))
    bench.ok("apply", "-y", "--app", "a")  # not this app's any more
    assert data(api_server, bench, "moves") == {"x": "1"}
    bench.ok("apply", "-y", "--app", "b")
    assert data(api_server, bench, "moves") is None


def test_nothing_is_pruned_while_the_other_apps_cannot_be_asked(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("a.yaml", [configmap("a", x="1"), configmap("gone", x="1")])
    bench.write("b.yaml", configmap("b", x="1"))
    apps(bench, "a", "b")
    bench.ok("apply", "-y")
    bench.write("a.yaml", configmap("a", x="1"))
    bench.write("b.yaml", "{this: is not: yaml")
    ran = bench.ok("apply", "-y", "--app", "a")
    assert "nothing is pruned" in ran.out and data(api_server, bench, "gone") == {"x": "1"}


def test_an_app_that_moved_to_another_namespace(bench: Bench, api_server: HttpCluster) -> None:
    elsewhere = f"{bench.namespace}-x"
    bench.write("a.yaml", configmap("a", x="1"))
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    apps(bench, "a", web={"type": "helm", "chart": chart, "timeout": 30})
    bench.ok("apply", "-y")
    apps(bench, "a", a={"namespace": elsewhere}, web={"type": "helm", "chart": chart, "namespace": elsewhere})
    bench.ok("apply", "-y")
    assert data(api_server, bench, "a") is None and data(api_server, bench, "web-page") is None
    assert get(api_server, "ConfigMap", elsewhere, "a") is not None
    assert get(api_server, "Deployment", elsewhere, "web", "apps") is not None


def test_kept_foreign_and_replaced_objects_stay(bench: Bench, api_server: HttpCluster) -> None:
    for name, note in (("ours", "sbkube.dev/deletion"), ("helms", "helm.sh/resource-policy")):
        kept = configmap(name, x="1")
        kept["metadata"]["annotations"] = {note: "keep"}
        bench.write(f"{name}.yaml", kept)
    bench.write("replaced.yaml", configmap("replaced", x="1"))
    bench.write("a.yaml", configmap("a", x="1"))
    apps(bench, "ours", "helms", "replaced", "a")
    bench.ok("apply", "-y")
    api_server.delete(key(bench, "ConfigMap", "replaced"))
    for name in ("replaced", "foreign"):
        edit(api_server, bench, configmap(name, x="theirs"))
    apps(bench, "a")
    ran = bench.ok("apply", "-y")
    for name in ("ours", "helms", "replaced", "foreign"):
        assert data(api_server, bench, name) is not None, name
    assert "ConfigMap/ours" in ran.out and "annotation" in ran.out
    assert "ConfigMap/replaced" in ran.out and "not the object that we created" in ran.out


def test_a_second_project_in_the_same_namespace_is_never_touched(bench: Bench, api_server: HttpCluster) -> None:
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    other = bench.folder / "other"
    bench.write("other/m.yaml", configmap("theirs", x="1"))
    bench.write("other/sbkube.yaml", _other_project(bench, chart))
    bench.ok("apply", "-y", "-f", str(other))
    deploy(bench, configmap("a", x="1"), configmap("b", x="1"))
    deploy(bench, configmap("a", x="1"))
    bench.ok("delete", "-y")
    assert data(api_server, bench, "theirs") == {"x": "1"} and data(api_server, bench, "web-page") is not None
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is not None


def _other_project(bench: Bench, chart: str) -> dict[str, Any]:
    return {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": f"{bench.namespace}-other"},
        "settings": {"namespace": bench.namespace},
        "apps": {
            "m": {"type": "yaml", "manifests": ["m.yaml"]},
            "web": {"type": "helm", "chart": f".{chart}", "timeout": 30},
        },
    }


def test_one_project_from_two_base_namespaces(bench: Bench, api_server: HttpCluster) -> None:
    """Releases of both carry the same project label, and may lie in one namespace."""
    shared = f"{bench.namespace}-shared"
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    apps(bench, one={"type": "helm", "chart": chart, "namespace": shared, "timeout": 30})
    bench.ok("apply", "-y")
    apps(bench, two={"type": "helm", "chart": chart, "namespace": shared, "timeout": 30})
    bench.ok("apply", "-y", "-n", f"{bench.namespace}-b")
    assert get(api_server, "ConfigMap", shared, "one-page") is not None
    bench.ok("delete", "-y", "-n", f"{bench.namespace}-b")
    assert get(api_server, "ConfigMap", shared, "one-page") is not None
    assert get(api_server, "ConfigMap", shared, "two-page") is None


def _as_yaml(bench: Bench) -> None:
    """The ConfigMap of the chart, as an app of its own."""
    bench.write("page.yaml", configmap("web-page", greeting="hello", extra="1"))
    apps(bench, "page")


def _as_chart(bench: Bench, name: str = "web") -> None:
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    apps(bench, **{name: {"type": "helm", "chart": chart, "release_name": "web", "timeout": 30}})


def test_from_our_own_apply_to_a_release_without_deletion(bench: Bench, api_server: HttpCluster) -> None:
    _as_yaml(bench)
    bench.ok("apply", "-y")
    before = get(api_server, "ConfigMap", bench.namespace, "web-page")
    _as_chart(bench)
    shown = bench.ok("diff", "-o", "json").json
    assert shown["summary"]["delete"] == 0
    bench.ok("apply", "-y")
    after = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert before is not None and after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["data"] == {"greeting": "hello"}  # what the chart lacks is gone
    assert after["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert after["metadata"]["labels"]["sbkube.dev/app"] == "web"
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "web-page") == {"greeting": "hello", "extra": "1"}
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is None
    _as_yaml(bench)
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False


def test_from_a_release_to_our_own_apply_without_deletion(bench: Bench, api_server: HttpCluster) -> None:
    _as_chart(bench)
    bench.ok("apply", "-y")
    before = get(api_server, "ConfigMap", bench.namespace, "web-page")
    _as_yaml(bench)
    ran = bench.ok("apply", "-y")
    assert "taken apart" in ran.out
    after = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert before is not None and after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["data"] == {"greeting": "hello", "extra": "1"}
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is None
    secrets = api_server.resource_type("v1", "Secret")
    assert secrets is not None and api_server.list(secrets, bench.namespace, labels="owner=helm") == []
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False
    bench.ok("rollback", "-y")
    assert data(api_server, bench, "web-page") == {"greeting": "hello"}
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is not None
    assert len(api_server.list(secrets, bench.namespace, labels="owner=helm")) == 1


def test_a_chart_that_drops_what_another_app_wants_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    _as_chart(bench)
    bench.ok("apply", "-y")
    bench.write("page.yaml", configmap("web-page", greeting="hello"))
    other = bench.chart("web", {"more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"})
    bench.write("charts/web/templates/web.yaml", "")
    apps(bench, "page", web={"type": "helm", "chart": other, "timeout": 30})
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 3 and "ConfigMap/web-page" in ran.json["problems"][0]["message"]
    assert data(api_server, bench, "web-page") == {"greeting": "hello"}
