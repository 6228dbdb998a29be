"""A project in a sandbox, from a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.errors import ConfigError
from sbkube.testing import KubeSandbox, apply, open_project

PROJECT = """
apiVersion: sbkube/v1
metadata: {name: shop}
settings: {namespace: shop, timeout: 20s}
apps:
  settings: {type: yaml, manifests: [settings.yaml]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sbkube.yaml").write_text(PROJECT)
    (tmp_path / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: green}\n"
    )
    return tmp_path


def test_apply_deploys_and_records(kube_sandbox: KubeSandbox, project: Path, own_home: Path) -> None:
    result = apply(project, kube_sandbox)
    assert result.exit_code == 0
    found = kube_sandbox.client.get("ConfigMap", "settings", "shop")
    assert found is not None and found["data"] == {"colour": "green"}
    with open_project(project, kube_sandbox) as opened:
        assert [r.deployment_id for r in opened.history()] == [result.record.deployment.deployment_id]
    assert list(own_home.iterdir()) == []  # the state went to the sandbox's folder


def test_a_reset_forgets_deployments_too(kube_sandbox: KubeSandbox, project: Path) -> None:
    apply(project, kube_sandbox)
    kube_sandbox.reset()
    with open_project(project, kube_sandbox) as opened:
        assert opened.history() == ()
    assert apply(project, kube_sandbox).exit_code == 0


def test_what_fails_in_the_cluster_is_in_the_result(kube_sandbox: KubeSandbox, project: Path) -> None:
    (project / "settings.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n"
        "  annotations: {sandbox.sbkube.dev/fail: ImagePullBackOff}\n"
        "spec: {containers: [{name: main, image: nginx}]}\n"
    )
    result = apply(project, kube_sandbox)
    assert result.exit_code == 1
    assert any("ImagePullBackOff" in str(outcome) for outcome in result.outcomes)


def test_a_wrong_file_is_refused_before_anything(kube_sandbox: KubeSandbox, project: Path) -> None:
    (project / "sbkube.yaml").write_text(PROJECT + "frob: 1\n")
    with pytest.raises(ConfigError):
        apply(project, kube_sandbox)
    assert kube_sandbox.client.get("Namespace", "shop") is None
