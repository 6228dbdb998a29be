"""Every example lives its life in the sandbox: validated, applied, unchanged, changed, rolled back, deleted.

What an example takes from the public internet is served from this machine instead.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from repositories import commit_all, new_repository
from web_server import Site, packed, serving

EXAMPLES = sorted(f.parent for f in (Path(__file__).resolve().parents[2] / "examples").glob("*/sbkube.yaml"))
CONFIG = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\n'
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "redis"},
    "spec": {"ports": [{"port": 6379}], "selector": {"app": "redis"}},
}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def served_here(folder: Path, site: Site, upstream: Path) -> None:
    """Replace every public address of an example by one of this machine."""
    file = folder / "sbkube.yaml"
    text = file.read_text()
    charts = {"podinfo": {v: packed("podinfo", v, {"c.yaml": CONFIG}) for v in ("6.7.1", "6.9.0", "7.0.0")}}
    text = text.replace("https://stefanprodan.github.io/podinfo", site.chart_repository("charts", charts))
    site.oci_chart("stefanprodan/charts/podinfo", "6.7.1", charts["podinfo"]["6.7.1"])
    text = text.replace("ghcr.io/stefanprodan", site.url.removeprefix("http://") + "/stefanprodan")
    if "github.com/kubernetes/examples.git" in text:
        work = new_repository(upstream)
        (work / "guestbook").mkdir()
        (work / "guestbook/redis-slave-service.yaml").write_text(yaml.safe_dump(SERVICE))
        commit_all(work, "guestbook")
        text = text.replace("https://github.com/kubernetes/examples.git", str(work))
        text = text.replace("branch: master", "branch: main")
    frontend = {**SERVICE, "metadata": {"name": "frontend"}}
    site.files["/kubernetes/examples/master/guestbook/frontend-service.yaml"] = yaml.safe_dump(frontend).encode()
    text = text.replace("https://raw.githubusercontent.com", site.url)
    assert not re.search(r"https://(?!kubernetes\.io)", text), "an example may not reach the internet in a test"
    file.write_text(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_an_example_lives(example: Path, bench: Bench, site: Site, tmp_path: Path) -> None:
    if "type: git" in (example / "sbkube.yaml").read_text() and shutil.which("git") is None:
        pytest.skip("git is not installed")
    shutil.copytree(example, bench.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".sbkube"))
    served_here(bench.folder, site, tmp_path / "upstream")
    bench.ok("validate")
    assert effects(bench.ok("apply", "-y", "-o", "json").json)["create"] > 0
    assert effects(bench.ok("diff", "-o", "json", "--exit-status").json)["unchanged"] > 0
    bench.ok("status")

    file = bench.folder / "sbkube.yaml"
    project = yaml.safe_load(file.read_text())
    project["global_labels"] = {**project.get("global_labels", {}), "example.com/changed": "yes"}
    file.write_text(yaml.safe_dump(project, sort_keys=False))
    assert effects(bench.ok("apply", "-y", "-o", "json").json)["change"] > 0
    effects(bench.ok("rollback", "-y", "-o", "json").json)
    assert effects(bench.ok("delete", "-y", "-o", "json").json)["delete"] > 0
    assert effects(bench.ok("delete", "-y", "-o", "json").json)["delete"] == 0


def effects(document: dict[str, Any]) -> Counter[str]:
    """What a plan or run was about, of all projects of a family together; every run has gone well."""
    found: Counter[str] = Counter()
    for one in document.get("projects", [document]):
        assert one.get("deployment", {"status": "success"})["status"] == "success"
        found.update(one["summary"])
    return found
