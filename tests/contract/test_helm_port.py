"""What HelmPort promises, asked of both implementations against the sandbox or a cluster of yours."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clients import PlainReader, program

from sbkube.edges.helm_program import ProgramHelm
from sbkube.edges.helm_sdk import SdkHelm
from sbkube.edges.helm_storage import pack, unpack
from sbkube.errors import ClusterUnreachable, HelmError, Interrupted, RenderError
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.ports import HelmPort

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 0.1.0\nappVersion: '7'\nkubeVersion: '>=1.20.0-0'\n",
    "values.yaml": "color: red\nfail: ''\nkeep: default\n",
    "templates/NOTES.txt": "hello {{ .Release.Name }}\n",
    "templates/config.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  color: {{ .Values.color | quote }}
  keep: {{ .Values.keep | quote }}
  revision: {{ .Release.Revision | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  found: {{ ((lookup "v1" "Namespace" "" "kube-system").metadata).name | quote }}
  old: {{ .Capabilities.APIVersions.Has "policy/v1beta1" | quote }}
  kind: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
""",
    "templates/web.yaml": """\
{{- if .Values.fail }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {sandbox.sbkube.dev/fail: {{ .Values.fail }}}
    spec:
      containers: [{name: web, image: "example.invalid/nothing:1"}]
{{- end }}
""",
    "templates/tests/check.yaml": """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations: {helm.sh/hook: test}
spec:
  containers: [{name: c, image: busybox}]
""",
}
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.%(group)s}
spec:
  group: %(group)s
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Text of a kubeconfig: of `$SBKUBE_TEST_KUBECONFIG`, else of a sandbox of its own."""
    given = os.environ.get("SBKUBE_TEST_KUBECONFIG")
    if given:
        yield Path(given).read_text()
        return
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "sbkube.sandbox.server", "--dir", str(folder), "--port", "0"]
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            deadline = time.monotonic() + 30
            while not (folder / "server.json").exists():
                assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield (folder / "kubeconfig").read_text()
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="module")
def cluster(kubeconfig: str) -> PlainReader:
    return PlainReader(kubeconfig)


def make(kind: str, kubeconfig: str, cluster: PlainReader | None) -> Any:
    if kind == "sdk":
        return SdkHelm(kubeconfig, cluster=cluster)  # type: ignore[arg-type]
    return ProgramHelm(program("helm"), kubeconfig, environ=os.environ, cluster=cluster)  # type: ignore[arg-type]


@pytest.fixture(params=["sdk", "program"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def port(kind: str, kubeconfig: str, cluster: PlainReader) -> HelmPort:
    made: HelmPort = make(kind, kubeconfig, cluster)
    return made


@pytest.fixture
def namespace(cluster: PlainReader) -> str:
    name = f"helm-{uuid.uuid4().hex[:8]}"
    cluster.namespace(name)
    return name


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return write(tmp_path / "demo", CHART)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def spec(chart: Path, namespace: str, name: str = "web", **values: Any) -> ReleaseSpec:
    return ReleaseSpec(name, namespace, str(chart), values, timeout=30, labels={"sbkube.dev/project": "p"})


def config_map(cluster: PlainReader, namespace: str, name: str = "web") -> Any:
    return cluster.get(ResourceKey("", "v1", "ConfigMap", namespace, name))


def go() -> threading.Event:
    return threading.Event()


def test_render_gives_manifest_hooks_notes_and_sources(port: HelmPort, chart: Path, namespace: str) -> None:
    rendered = port.render(spec(chart, namespace, color="blue"), revision=1, upgrade=False)
    assert rendered.manifest.startswith("---\n# Source: demo/templates/config.yaml\napiVersion: v1")
    assert 'color: "blue"' in rendered.manifest
    assert 'revision: "1"' in rendered.manifest
    assert 'upgrade: "false"' in rendered.manifest
    assert "hook" not in rendered.manifest
    assert sorted(text.splitlines()[0] for text in rendered.hooks) == [
        "# Source: demo/templates/config.yaml",
        "# Source: demo/templates/tests/check.yaml",
    ]
    assert rendered.notes == "hello web\n"
    assert rendered.crds == ()


def test_render_sees_the_cluster_and_only_what_it_serves(port: HelmPort, chart: Path, namespace: str) -> None:
    rendered = port.render(spec(chart, namespace), revision=1, upgrade=False)
    assert 'found: "kube-system"' in rendered.manifest
    assert 'old: "false"' in rendered.manifest
    assert 'kind: "true"' in rendered.manifest


def test_what_is_rendered_is_what_is_stored(port: HelmPort, chart: Path, namespace: str) -> None:
    wanted = spec(chart, namespace, color="blue")
    first = port.render(wanted, revision=1, upgrade=False)
    assert same(port.install(wanted, go()), first)
    second = port.render(wanted, revision=2, upgrade=True)
    assert 'revision: "2"' in second.manifest
    assert 'upgrade: "true"' in second.manifest
    assert same(port.upgrade(wanted, go()), second)


def same(record: Any, rendered: Any) -> bool:
    def normal(text: str) -> list[str]:
        return sorted(part.strip() for part in ("\n" + text).split("\n---") if part.strip())

    return normal(record.manifest) == normal(rendered.manifest) and sorted(map(str.strip, record.hooks)) == sorted(
        map(str.strip, rendered.hooks)
    )


def test_render_without_a_cluster(kind: str, chart: Path) -> None:
    rendered = make(kind, "", None).render(spec(chart, "nowhere"), revision=1, upgrade=False)
    assert 'color: "red"' in rendered.manifest
    assert "found: \n" in rendered.manifest
    assert len(rendered.hooks) == 2
    assert rendered.notes == "hello web\n"


ERRORS = {
    "nil": ("a: b\nc: {{ .Values.nope.deep }}\n", "nil pointer evaluating interface {}.deep", 2),
    "parse": ("a: b\nc: {{ .Values.nope \n", "unclosed action", 2),
    "fail": ('a: b\nc: {{ fail "no: good" }}\n', "no: good", 2),
    "required": ('c: {{ required "give a host" .Values.host }}\n', "give a host", 1),
    "function": ("a: b\n\nc: {{ nofunction 1 }}\n", 'function "nofunction" not defined', 3),
}


@pytest.mark.parametrize("case", ERRORS)
def test_template_errors_name_file_and_line(port: HelmPort, chart: Path, namespace: str, case: str) -> None:
    text, message, line = ERRORS[case]
    write(chart, {"templates/bad.yaml": text})
    with pytest.raises(RenderError) as caught:
        port.render(spec(chart, namespace), revision=1, upgrade=False)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert "executing" not in caught.value.message
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == ("demo/templates/bad.yaml", line)


def test_values_that_break_the_schema(port: HelmPort, chart: Path, namespace: str) -> None:
    schema = {"properties": {"color": {"type": "string"}, "keep": {"enum": ["default"]}}}
    write(chart, {"values.schema.json": json.dumps(schema)})
    with pytest.raises(RenderError, match="schema") as caught:
        port.render(spec(chart, namespace, color=5, keep="no"), revision=1, upgrade=False)
    assert len(caught.value.problems) == 2
    assert "/color" in str(caught.value)


def test_missing_dependencies_name_the_way_out(port: HelmPort, chart: Path, namespace: str) -> None:
    needs = 'dependencies: [{name: sub, version: 1.0.0, repository: "https://example.invalid"}]\n'
    write(chart, {"Chart.yaml": CHART["Chart.yaml"] + needs})
    for act in (
        lambda: port.render(spec(chart, namespace), revision=1, upgrade=False),
        lambda: port.install(spec(chart, namespace), go()),
    ):
        with pytest.raises(RenderError, match="sub") as caught:
            act()
        assert caught.value.hint == f"helm dependency build {chart}"


def test_a_chart_for_another_kubernetes(port: HelmPort, chart: Path, namespace: str) -> None:
    write(chart, {"Chart.yaml": CHART["Chart.yaml"].replace("1.20.0-0", "3.0.0-0")})
    with pytest.raises(RenderError, match=r">=3\.0\.0"):
        port.render(spec(chart, namespace), revision=1, upgrade=False)


@pytest.mark.parametrize("broken", ["nowhere", "no-chart", "bad-values"])
def test_a_chart_that_is_none(port: HelmPort, chart: Path, namespace: str, broken: str) -> None:
    if broken == "no-chart":
        (chart / "Chart.yaml").unlink()
    if broken == "bad-values":
        write(chart, {"values.yaml": "a: b: c\n"})
    path = chart / "nowhere" if broken == "nowhere" else chart
    with pytest.raises(RenderError):
        port.render(spec(path, namespace), revision=1, upgrade=False)


def test_a_packed_chart(port: HelmPort, chart: Path, namespace: str) -> None:
    write(chart, {"crds/thing.yaml": CRD % {"group": "example.com"}})
    packed = chart.parent / "demo-0.1.0.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(chart, "demo")
    rendered = port.render(spec(packed, namespace), revision=1, upgrade=False)
    assert (len(rendered.hooks), len(rendered.crds), rendered.notes) == (2, 1, "hello web\n")
    assert port.install(spec(packed, namespace), go()).status == "deployed"


def test_conditions_of_dependencies_are_taken_anew_each_time(port: HelmPort, chart: Path, namespace: str) -> None:
    needs = "dependencies: [{name: sub, version: 0.1.0, condition: sub.enabled}]\n"
    inner = {
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        "charts/sub/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inner}\n",
    }
    write(chart, {"Chart.yaml": CHART["Chart.yaml"] + needs, **inner})
    for enabled in (False, True, False):
        rendered = port.render(spec(chart, namespace, sub={"enabled": enabled}), revision=1, upgrade=False)
        assert ("name: inner" in rendered.manifest) is enabled


def test_crds_are_returned_and_never_installed(
    port: HelmPort, chart: Path, namespace: str, cluster: PlainReader
) -> None:
    group = f"{namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\n"
    write(chart, {"crds/thing.yaml": CRD % {"group": group}})
    assert "# Source:" in port.render(spec(chart, namespace), revision=1, upgrade=False).crds[0]
    port.install(spec(chart, namespace), go())
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}"
    assert cluster.request("GET", path) is None
    # A chart with objects of a kind that is not there yet can be planned all the same.
    write(chart, {"templates/thing.yaml": thing})
    rendered = port.render(spec(chart, namespace, name="other"), revision=1, upgrade=False)
    assert "kind: Thing" in rendered.manifest
    assert len(rendered.hooks) == 2


def test_install_stores_a_full_record(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    record = port.install(spec(chart, namespace, color="blue"), go())
    assert (record.name, record.namespace, record.revision, record.status) == ("web", namespace, 1, "deployed")
    assert (record.chart_name, record.chart_version, record.app_version) == ("demo", "0.1.0", "7")
    assert record.values == {"color": "blue"}
    assert record.labels == {"sbkube.dev/project": "p"}
    assert record.updated.startswith("20")
    assert len(record.hooks) == 2
    assert port.releases(namespace) == (record,)
    assert port.history("web", namespace) == (record,)
    again = port.decode(record.raw, namespace)
    assert dataclasses.replace(again, labels=record.labels) == record
    assert config_map(cluster, namespace)["data"]["color"] == "blue"
    assert config_map(cluster, namespace, "web-hook") is not None


def test_the_field_manager_is_helm(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    port.install(spec(chart, namespace), go())
    port.upgrade(spec(chart, namespace, color="green"), go())
    fields = config_map(cluster, namespace)["metadata"]["managedFields"]
    assert [(f["manager"], f["operation"]) for f in fields] == [("helm", "Apply")]


def test_both_work_on_each_other_s_releases(
    kind: str, port: HelmPort, chart: Path, namespace: str, kubeconfig: str, cluster: PlainReader
) -> None:
    other = make("program" if kind == "sdk" else "sdk", kubeconfig, cluster)
    other.install(spec(chart, namespace), go())
    assert port.upgrade(spec(chart, namespace, color="green"), go()).revision == 2
    assert other.rollback(spec(chart, namespace), 1, go()).revision == 3
    assert config_map(cluster, namespace)["data"]["color"] == "red"


def test_upgrade_rollback_uninstall(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    port.install(spec(chart, namespace, keep="mine"), go())
    changed = port.upgrade(spec(chart, namespace, color="green"), go())
    assert (changed.revision, changed.values) == (2, {"color": "green"})
    assert config_map(cluster, namespace)["data"]["keep"] == "default"  # old values are not merged in
    back = port.rollback(spec(chart, namespace), 1, go())
    assert (back.revision, back.status, back.values) == (3, "deployed", {"keep": "mine"})
    assert [(r.revision, r.status) for r in port.history("web", namespace)] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    port.uninstall("web", namespace, timeout=30, wait=True)
    assert port.releases(namespace) == ()
    assert config_map(cluster, namespace) is None
    port.uninstall("web", namespace, timeout=30, wait=True)


def test_no_values_are_defaults(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    port.install(spec(chart, namespace, color="green"), go())
    assert port.upgrade(spec(chart, namespace), go()).values == {}
    assert config_map(cluster, namespace)["data"]["color"] == "red"


def test_a_revision_that_helm_lost_can_be_put_back(
    port: HelmPort, chart: Path, namespace: str, cluster: PlainReader
) -> None:
    first = port.install(spec(chart, namespace, color="blue"), go())
    port.upgrade(spec(chart, namespace, color="green"), go())
    body = port.storage_object(first)
    path = f"/api/v1/namespaces/{namespace}/secrets"
    cluster.request("DELETE", f"{path}/{body['metadata']['name']}")
    with pytest.raises(HelmError):
        port.rollback(spec(chart, namespace), 1, go())
    cluster.request("POST", path, body)
    assert port.rollback(spec(chart, namespace), 1, go()).values == {"color": "blue"}
    assert config_map(cluster, namespace)["data"]["color"] == "blue"
    assert dict(port.history("web", namespace)[0].labels) == {"sbkube.dev/project": "p"}


def test_install_over_an_existing_release(port: HelmPort, chart: Path, namespace: str) -> None:
    port.install(spec(chart, namespace), go())
    with pytest.raises(HelmError, match="still in use") as caught:
        port.install(spec(chart, namespace), go())
    assert caught.value.hint
    assert caught.value.subject == f"{namespace}/web"


def test_upgrade_of_nothing(port: HelmPort, chart: Path, namespace: str) -> None:
    with pytest.raises(HelmError, match="no deployed releases"):
        port.upgrade(spec(chart, namespace), go())


def test_another_action_in_progress(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    record = port.install(spec(chart, namespace), go())
    stored = unpack(record.raw)
    stored["version"], stored["info"]["status"] = 2, "pending-upgrade"
    body = port.storage_object(dataclasses.replace(record, revision=2, raw=pack(stored)))
    stored_again = {**body, "data": {"release": port_data(pack(stored))}}
    stored_again["metadata"]["labels"]["status"] = "pending-upgrade"
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/secrets", stored_again)
    assert port.releases(namespace)[0].pending
    with pytest.raises(HelmError, match="in progress") as caught:
        port.upgrade(spec(chart, namespace), go())
    assert "helm rollback web" in (caught.value.hint or "")
    assert port.render(spec(chart, namespace), revision=3, upgrade=True).manifest


def port_data(raw: str) -> str:
    import base64

    return base64.b64encode(raw.encode()).decode()


def test_fields_of_another_manager(port: HelmPort, chart: Path, namespace: str, cluster: PlainReader) -> None:
    port.install(spec(chart, namespace), go())
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"color": "black"}}
    path = f"/api/v1/namespaces/{namespace}/configmaps/web?fieldManager=else&force=true"
    cluster.request("PATCH", path, body, kind="apply-patch+yaml")
    wanted = spec(chart, namespace, color="white")
    with pytest.raises(HelmError, match="conflict") as caught:
        port.upgrade(wanted, go())
    assert ".data.color" in str(caught.value)
    assert "force_conflicts" in (caught.value.hint or "")
    port.upgrade(dataclasses.replace(wanted, force_conflicts=True), go())
    assert config_map(cluster, namespace)["data"]["color"] == "white"


def test_a_cancelled_action_leaves_a_failed_release(port: HelmPort, chart: Path, namespace: str) -> None:
    cancel = go()
    threading.Timer(1.5, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        port.install(spec(chart, namespace, fail="ImagePullBackOff"), cancel)
    assert time.monotonic() - began < 15
    deadline = time.monotonic() + 10
    while port.releases(namespace)[0].pending and time.monotonic() < deadline:
        time.sleep(0.2)
    assert port.releases(namespace)[0].status == "failed"
    assert port.upgrade(spec(chart, namespace), go()).status == "deployed"


def test_cancelled_before_it_began(port: HelmPort, chart: Path, namespace: str) -> None:
    cancel = go()
    cancel.set()
    with pytest.raises(Interrupted):
        port.install(spec(chart, namespace), cancel)
    assert port.releases(namespace) == ()


def test_atomic_takes_a_failed_install_back(port: HelmPort, chart: Path, namespace: str) -> None:
    wanted = dataclasses.replace(spec(chart, namespace, fail="ImagePullBackOff"), atomic=True, timeout=2)
    with pytest.raises(HelmError):
        port.install(wanted, go())
    assert port.releases(namespace) == ()


def test_a_timeout_is_a_failure_and_not_a_cancellation(port: HelmPort, chart: Path, namespace: str) -> None:
    wanted = dataclasses.replace(spec(chart, namespace, fail="ImagePullBackOff"), timeout=2)
    with pytest.raises(HelmError) as caught:
        port.install(wanted, go())
    assert "\n" not in caught.value.message
    assert port.releases(namespace)[0].status == "failed"


def test_without_wait_nothing_is_waited_for(port: HelmPort, chart: Path, namespace: str) -> None:
    wanted = dataclasses.replace(spec(chart, namespace, fail="ImagePullBackOff"), wait=False)
    assert port.install(wanted, go()).status == "deployed"


def test_releases_at_the_same_time(port: HelmPort, chart: Path, namespace: str) -> None:
    names = [f"web-{n}" for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda name: port.install(spec(chart, namespace, name=name), go()), names))
    assert [record.name for record in done] == names
    assert [record.name for record in port.releases(namespace)] == names


NOWHERE = """
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: a, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {token: secret}}]
"""


def test_an_unreachable_cluster(kind: str, chart: Path, cluster: PlainReader) -> None:
    port = make(kind, NOWHERE, cluster)
    with pytest.raises(ClusterUnreachable, match="refused"):
        port.install(spec(chart, "x"), go())


def test_a_missing_namespace(port: HelmPort, chart: Path) -> None:
    with pytest.raises(HelmError, match="not found") as caught:
        port.install(spec(chart, "not-there"), go())
    assert "namespace" in (caught.value.hint or "")


def test_it_says_what_it_is(port: HelmPort, kind: str) -> None:
    assert port.name == kind
    assert port.version.startswith("v4.")
    assert "4." in port.reason  # type: ignore[attr-defined]
