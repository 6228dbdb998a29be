"""init: every template can be deployed, and what runs in a namespace can be written down and adopted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from integration.conftest import Bench
from shapes import configmap, deployment

from sbkube.config.starter import TEMPLATES
from sbkube.edges.cluster import HttpCluster

POD = {"containers": [{"name": "main", "image": "nginx:1"}]}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_can_be_deployed(bench: Bench, template: str) -> None:
    bench.ok("init", "--name", bench.namespace, "--template", template)
    assert not bench.ok("validate").out.count("!")
    bench.ok("apply", "-y")
    assert bench.sbkube("plan", "--exit-status").code == 0
    bench.ok("delete", "-y")
    again = bench.sbkube("init")
    assert again.code == 2 and "exists already" in again.err


def test_what_runs_already_is_written_down_and_adopted(bench: Bench, api_server: HttpCluster) -> None:
    name = bench.namespace
    api_server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="kubectl")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "planted"}}
    web = deployment("web")
    web["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(deployment("web"))
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": POD}
    for body in (configmap("settings", colour="blue"), web, secret, pod):
        body["metadata"]["namespace"] = name
        api_server.create(body, manager="kubectl-client-side-apply")
    document = bench.ok("init", "--from-namespace", name, "--name", name, "-o", "json").json
    files = {Path(f).as_posix().removeprefix(f"{bench.folder}/"): bench.folder / f for f in document["files"]}
    assert set(files) == {"sbkube.yaml", "manifests/configmaps.yaml", "manifests/deployments.yaml"}
    assert any("Secret s was left out" in remark for remark in document["remarks"])
    assert [remark for remark in document["remarks"] if "Pod" in remark] == [
        "Pod bare was left out: it was made once, by hand"
    ]
    assert "planted" not in "".join(file.read_text() for file in files.values())
    written = yaml.safe_load((bench.folder / "manifests/deployments.yaml").read_text())
    assert "status" not in written and set(written["metadata"]) == {"name"}
    assert "progressDeadlineSeconds" not in written["spec"]
    bench.ok("adopt", "-y")
    plan = bench.ok("plan", "-o", "json").json
    assert plan["changes_pending"] is False and plan["summary"]["unchanged"] >= 2


def test_releases_of_a_namespace(bench: Bench, api_server: HttpCluster) -> None:
    page = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {colour: {{ .Values.colour }}}\n"
    chart = bench.chart("web", {"page.yaml": page}, "colour: blue")
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"colour": "red"}]}})
    bench.ok("apply", "-y")
    other = bench.folder / "other"
    other.mkdir()
    document = bench.ok("init", str(other), "--from-namespace", bench.namespace, "-o", "json").json
    project = yaml.safe_load((other / "sbkube.yaml").read_text())
    assert project["apps"]["web"]["version"] == "1.0.0" and project["apps"]["web"]["values"] == ["values/web.yaml"]
    assert yaml.safe_load((other / "values/web.yaml").read_text()) == {"colour": "red"}
    assert any("helm_repos" in remark for remark in document["remarks"])


def test_a_namespace_that_is_not_there_or_empty_makes_no_project(bench: Bench, api_server: HttpCluster) -> None:
    for wrong, said in (
        ("nowhere", "no namespace nowhere"),
        ('"x"', "no namespace"),
        (bench.namespace, "holds nothing"),
    ):
        if wrong == bench.namespace:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wrong}}
            api_server.create(body, manager="kubectl")
        ran = bench.sbkube("init", "--from-namespace", wrong)
        assert ran.code == 2 and said in ran.err
        assert not (bench.folder / "sbkube.yaml").exists()
