"""kubectl reads: every output form, selectors, watches, raw paths."""

from __future__ import annotations

import json

import pytest
import yaml
from conformance.clients.objects import config, manifest, service, workload
from conformance.clients.programs import Program


@pytest.fixture(scope="module")
def shop(anywhere: Program) -> Program:
    """A namespace with two ready pods, a service and two ConfigMaps; every test leaves them there."""
    kubectl = anywhere.moved()
    kubectl("apply", "-f", "-", stdin=manifest(workload("Deployment", "web"), service("web"), config("b", n="1")))
    kubectl("create", "configmap", "a", "--from-literal=n=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    return kubectl


def test_output_forms(shop: Program) -> None:
    assert [row[:2] for row in shop("get", "deploy").rows] == [["web", "2/2"]]
    assert shop("get", "deploy", "-o", "wide").rows[0][-3:] == ["web", "nginx:1", "app=web"]
    assert yaml.safe_load(shop("get", "deploy", "web", "-o", "yaml").out)["status"]["readyReplicas"] == 2
    assert shop("get", "deploy", "web", "-o", "json").json["kind"] == "Deployment"
    assert shop("get", "deploy,svc", "-o", "name").out.split() == ["deployment.apps/web", "service/web"]
    assert (
        shop("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}").out == "nginx:1"
    )
    assert "web" in shop("get", "deploy", "-o", "kyaml").out
    columns = shop("get", "pods", "-o", "custom-columns=N:.metadata.name,P:.status.phase").rows
    assert [row[1] for row in columns] == ["Running", "Running"]
    template = "{{range .items}}{{.metadata.name}} {{end}}"
    assert shop("get", "svc", "-o", f"go-template={template}").out == "web "
    assert [row[0] for row in shop("get", "pods", "--server-print=false").rows] == [r[0] for r in columns]


def test_pods_say_where_they_run(shop: Program) -> None:
    for row in shop("get", "pods", "-o", "wide").rows:
        assert row[1:3] == ["1/1", "Running"]
        assert row[6] == "sandbox"


def test_sorting_and_pages(shop: Program) -> None:
    found = shop("get", "cm", "-l", "!kubernetes.io/x", "--sort-by=.data.n", "--chunk-size=1", "-o", "name").out
    assert [n for n in found.split() if "kube-root" not in n] == ["configmap/b", "configmap/a"]


def test_selectors(shop: Program) -> None:
    assert [row[0] for row in shop("get", "cm", "-l", "app=web").rows] == ["b"]
    assert [row[0] for row in shop("get", "cm", "-l", "app in (web,x),app!=y", "-L", "app").rows] == ["b"]
    assert [row[0] for row in shop("get", "cm", "--field-selector", "metadata.name=a").rows] == ["a"]
    assert len(shop("get", "pods", "--field-selector", "status.phase=Running,spec.nodeName=sandbox").rows) == 2
    everywhere = shop("get", "pods", "-A", "-l", "app=web", "--show-labels").rows
    assert {row[0] for row in everywhere} >= {shop.namespace}
    refused = shop("get", "pods", "--field-selector", "spec.colour=1", code=1)
    assert "field label not supported: spec.colour" in refused.err


def test_what_is_not_there(shop: Program) -> None:
    assert 'configmaps "nope" not found' in shop("get", "cm", "nope", code=1).err
    assert "(NotFound)" in shop("get", "cm", "a", "nope", code=1).err
    assert shop("get", "cm", "nope", "--ignore-not-found").said == ""
    assert "doesn't have a resource type" in shop("get", "nonsense", code=1).err
    assert f"No resources found in {shop.namespace} namespace." in shop("get", "jobs").err


def test_raw_paths_and_subresources(shop: Program) -> None:
    path = f"/api/v1/namespaces/{shop.namespace}/configmaps"
    assert shop("get", "--raw", f"{path}/a").json["data"] == {"n": "2"}
    assert shop("get", "--raw", "/readyz").out == "ok"
    shop("get", "--raw", "/nope", code=1)
    shop("create", "--raw", path, "-f", "-", stdin=json.dumps(config("raw", a="1")))
    shop("replace", "--raw", f"{path}/raw", "-f", "-", stdin=json.dumps(config("raw", a="2")))
    assert shop.read("cm", "raw")["data"] == {"a": "2"}
    shop("delete", "--raw", f"{path}/raw")
    assert shop.read("cm", "raw") is None
    assert shop("get", "deploy", "web", "--subresource=scale", "-o", "jsonpath={.spec.replicas}").out == "2"


def test_a_watch_sees_what_happens(shop: Program) -> None:
    words = ("get", "cm", "-l", "app=web", "-o", "name", "--watch", "--output-watch-events=false")
    with shop.popen(*words) as watch:
        assert watch.stdout is not None
        try:
            assert watch.stdout.readline() == "configmap/b\n"
            shop("create", "-f", "-", stdin=manifest(config("c")))
            assert watch.stdout.readline() == "configmap/c\n"
            shop("label", "cm", "c", "app-")  # it leaves the selector: a deletion
            assert watch.stdout.readline() == "configmap/c\n"
        finally:
            watch.kill()


def test_watch_events_name_their_type(shop: Program) -> None:
    shop("create", "configmap", "w", "--from-literal=n=1")
    words = ("get", "cm", "w", "-o", 'jsonpath={.type} {.object.data.n}{"\\n"}', "-w", "--output-watch-events")
    with shop.popen(*words) as watch:
        assert watch.stdout is not None
        try:
            assert watch.stdout.readline() == "ADDED 1\n"
            shop("patch", "cm", "w", "-p", '{"data":{"n":"7"}}')
            assert watch.stdout.readline() == "MODIFIED 7\n"
            shop("delete", "cm", "w")
            assert watch.stdout.readline() == "DELETED 7\n"
        finally:
            watch.kill()
