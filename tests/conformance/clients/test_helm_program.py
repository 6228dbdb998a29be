"""The helm program against the sandbox: a release's whole life, and every way that it fails."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from conformance.clients.objects import config, manifest
from conformance.clients.programs import Program

CHART = Path(__file__).parent / "charts" / "shop"
WAIT = ("--wait", "--timeout", "30s")
SHORT = ("--wait", "--timeout", "1s")


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """The chart `shop`; its custom resource has a group of its own."""
    made = shutil.copytree(CHART, tmp_path / "shop")
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    for path in (made / "crds/gadget.yaml", made / "templates/gadget.yaml"):
        path.write_text(path.read_text().replace("clients.example.com", group))
    return made


@pytest.fixture
def chart(custom: Path) -> Path:
    """The chart `shop` without its definition."""
    shutil.rmtree(custom / "crds")
    return custom


def statuses(helm: Program, name: str = "r") -> list[str]:
    """What became of each revision."""
    return [r["status"] for r in helm("history", name, "--output", "json").json]


def data(kubectl: Program, name: str = "r") -> Any:
    """The data of the release's ConfigMap."""
    return kubectl.read("cm", name)["data"]


def test_the_life_of_a_release(helm: Program, kubectl: Program, chart: Path) -> None:
    done = helm("install", "r", str(chart), *WAIT)
    assert "STATUS: deployed" in done.out and "Thank you for r blue." in done.out
    assert kubectl.read("deploy", "r")["status"]["readyReplicas"] == 1
    assert data(kubectl) == {"colour": "blue", "before": "nothing"}
    assert kubectl.read("cm", "r-sub")["data"] == {"greeting": "none"}
    helm("upgrade", "r", str(chart), "--set", "colour=red,replicas=2,sub.enabled=false", *WAIT)
    assert data(kubectl) == {"colour": "red", "before": "blue"}  # `lookup` saw the cluster
    assert kubectl.read("cm", "r-sub") is None
    helm("rollback", "r", "1", *WAIT)
    assert data(kubectl)["colour"] == "blue" and kubectl.read("cm", "r-sub")
    assert statuses(helm) == ["superseded", "superseded", "deployed"]
    [listed] = helm("list", "--output", "json").json
    assert (listed["name"], listed["revision"], listed["chart"]) == ("r", "3", "shop-1.0.0")
    assert kubectl.namespace in helm("list", "--all-namespaces").out
    helm("uninstall", "r", *WAIT)
    assert kubectl.items("deploy,svc,pods,secrets", "-l", "app=r") == []
    assert kubectl.read("cm", "r-goodbye")["data"] == {"last": "blue"}  # a post-delete hook
    assert "not found" in helm("status", "r", code=1).said


def test_what_a_release_tells(helm: Program, chart: Path) -> None:
    helm("install", "r", str(chart), "--set", "colour=red", "--description", "first")
    assert helm("get", "values", "r", "--output", "json").json == {"colour": "red"}
    assert helm("get", "values", "r", "--all", "--output", "json").json["replicas"] == 1
    assert "kind: Deployment" in helm("get", "manifest", "r").out
    hooks = helm("get", "hooks", "r").out
    assert "r-first" in hooks and "r-test" in hooks and "kind: Deployment" not in hooks
    assert "Thank you for r red." in helm("get", "notes", "r").out
    assert helm("get", "metadata", "r", "--output", "json").json["appVersion"] == "7"
    assert "HOOKS:" in helm("get", "all", "r").out
    shown = helm("status", "r").out
    assert "DESCRIPTION: first" in shown and "==> v1/Deployment" in shown
    assert "not found" in helm("get", "all", "nope", code=1).said


def test_charts_are_checked_packed_and_tried(
    helm: Program, kubectl: Program, custom: Path, tmp_path: Path
) -> None:
    helm("lint", str(custom))
    helm("package", str(custom), "--destination", str(tmp_path))
    archive = str(tmp_path / "shop-1.0.0.tgz")
    shown = helm("template", "r", archive, "--dry-run=server", "--set", "colour=red").out
    assert "colour: red" in shown and "before: nothing" in shown
    assert "STATUS: pending-install" in helm("install", "r", archive, "--dry-run=server").out
    assert kubectl.items("secret,deploy") == []
    said = helm("install", "r", archive, "--dry-run=server", "--set", "gadget=true", code=1).said
    assert "ensure CRDs are installed first" in said
    helm("upgrade", "--install", "r", archive, "--set", "gadget=true", "--hide-notes")
    helm("upgrade", "r", archive, "--dry-run=server", "--set", "colour=red")
    assert data(kubectl)["colour"] == "blue" and statuses(helm) == ["deployed"]


def test_definitions_come_first_and_stay(helm: Program, kubectl: Program, custom: Path) -> None:
    name = next(line for line in (custom / "crds/gadget.yaml").read_text().splitlines() if "gadgets." in line)
    definition = name.split(": ")[1]
    helm("install", "r", str(custom), "--set", "gadget=true")
    assert kubectl.read(definition, "r")["spec"] == {"size": 3}
    helm("uninstall", "r", *WAIT)
    assert kubectl.items(definition) == []
    assert kubectl.read("crd", definition)
    kubectl("delete", "crd", definition)
    helm("install", "r", str(custom), "--skip-crds")
    assert kubectl.read("crd", definition) is None


def test_what_the_cluster_is_too_old_for(helm: Program, chart: Path) -> None:
    text = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(text.replace(">=1.30.0-0", ">=1.99.0-0"))
    assert "incompatible with Kubernetes" in helm("install", "r", str(chart), code=1).said


def test_hooks_run_in_order_and_are_cleared_away(helm: Program, kubectl: Program, chart: Path) -> None:
    helm("install", "r", str(chart))
    [job] = kubectl.items("jobs")
    assert job["metadata"]["name"] == "r-second"  # the first was deleted when it had succeeded
    made = [e for e in kubectl.items("events") if e["reason"] == "SuccessfulCreate"]
    made.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
    order = [e["involvedObject"]["name"] for e in made if e["involvedObject"]["kind"] == "Job"]
    assert order == ["r-first", "r-second"]  # by weight
    helm("upgrade", "r", str(chart))
    [again] = kubectl.items("jobs")
    assert again["metadata"]["uid"] != job["metadata"]["uid"]  # before-hook-creation
    said = helm("upgrade", "r", str(chart), "--set", "hookFail=Error,colour=red", "--timeout", "30s", code=1).said
    assert "pre-upgrade hooks failed" in said
    assert data(kubectl)["colour"] == "blue"
    helm("upgrade", "r", str(chart), "--set", "hookFail=Error,colour=red", "--no-hooks")
    assert data(kubectl)["colour"] == "red"
    assert statuses(helm) == ["superseded", "superseded", "failed", "deployed"]


def test_the_tests_of_a_chart(helm: Program, kubectl: Program, chart: Path) -> None:
    helm("install", "r", str(chart))
    done = helm("test", "r", "--logs").out
    assert "Phase:          Succeeded" in done and "it was tried" in done
    kubectl("delete", "pod", "r-test")
    helm("upgrade", "r", str(chart), "--set", "testFail=Error")
    assert "Phase:          Failed" in helm("test", "r", code=1).out


@pytest.mark.parametrize("fail", ["ImagePullBackOff", "CrashLoopBackOff", "Unschedulable"])
def test_a_release_that_does_not_get_ready(helm: Program, kubectl: Program, chart: Path, fail: str) -> None:
    said = helm("install", "r", str(chart), "--set", f"fail={fail}", *SHORT, code=1).said
    assert "INSTALLATION FAILED" in said and "not ready" in said
    assert statuses(helm) == ["failed"]
    helm("upgrade", "r", str(chart), "--reset-values", *WAIT)
    assert statuses(helm) == ["superseded", "deployed"]
    assert kubectl.read("deploy", "r")["status"]["readyReplicas"] == 1


def test_failures_can_be_rolled_back_at_once(helm: Program, kubectl: Program, chart: Path) -> None:
    sick = ("--set", "fail=ImagePullBackOff,colour=red", "--rollback-on-failure", *SHORT)
    assert "has been uninstalled" in helm("install", "r", str(chart), *sick, code=1).said
    assert kubectl.items("deploy,secrets") == []
    helm("install", "r", str(chart), *WAIT)
    assert "has been rolled back" in helm("upgrade", "r", str(chart), *sick, code=1).said
    assert statuses(helm) == ["superseded", "failed", "deployed"]
    assert data(kubectl)["colour"] == "blue"


def test_uninstalled_with_its_history_kept(helm: Program, kubectl: Program, chart: Path) -> None:
    helm("install", "r", str(chart))
    helm("uninstall", "r", "--dry-run")
    assert kubectl.read("deploy", "r")
    helm("uninstall", "r", "--keep-history")
    assert kubectl.read("deploy", "r") is None
    assert statuses(helm) == ["uninstalled"]
    assert helm("list", "--uninstalled", "--short").out.split() == ["r"]
    helm("rollback", "r", "1", *WAIT)
    assert kubectl.read("deploy", "r")
    assert [s["type"] for s in kubectl.items("secrets", "-l", "owner=helm")] == ["helm.sh/release.v1"] * 2


def test_whose_objects_they_are(helm: Program, kubectl: Program, chart: Path) -> None:
    kubectl("create", "configmap", "r")
    said = helm("install", "r", str(chart), code=1).said
    assert "exists and cannot be imported" in said and "meta.helm.sh/release-name" in said
    helm("install", "r", str(chart), "--take-ownership")
    theirs = ("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-")
    kubectl(*theirs, stdin=manifest(config("r", colour="theirs")))
    said = helm("upgrade", "r", str(chart), "--set", "colour=red", code=1).said
    assert 'conflict with "other": .data.colour' in said
    assert data(kubectl)["colour"] == "theirs"
    helm("upgrade", "r", str(chart), "--set", "colour=red", "--force-conflicts")
    assert data(kubectl)["colour"] == "red"


def test_namespaces_are_made_when_asked_for(helm: Program, kubectl: Program, chart: Path) -> None:
    other = f"{helm.namespace}-new"
    assert f'namespaces "{other}" not found' in helm("install", "r", str(chart), "-n", other, code=1).said
    helm("install", "r", str(chart), "-n", other, "--create-namespace")
    assert json.loads(kubectl("get", "ns", other, "-o", "json").out)["status"]["phase"] == "Active"
