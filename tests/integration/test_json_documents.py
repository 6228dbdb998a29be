"""Every command's `-o json` fits the JSON Schema that it names, failures too, and holds nothing beyond it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench, Ran
from jsonschema import Draft202012Validator

from sbkube.api import schema
from sbkube.cli.main import ENTRIES
from sbkube.models.resource import ResourceKey
from sbkube.report.schemas import NAMES

CHART = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {v: "{{ .Values.v }}"}\n'
ELSEWHERE = {"event", "serve"}  # no command prints the one; the other has a test of its own


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def closed(value: Any) -> Any:
    """The schema without room for unknown keys: what is printed must be described."""
    if isinstance(value, dict):
        found = {key: closed(below) for key, below in value.items()}
        if value.get("type") == "object" and "properties" in value and "additionalProperties" not in value:
            found["additionalProperties"] = False
        return found
    return [closed(below) for below in value] if isinstance(value, list) else value


class Checked:
    """Runs commands, and keeps which schemas and commands have been seen."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.schemas, self.commands = bench, set[str](), set[str]()

    def __call__(self, *words: str, code: int | None = 0) -> dict[str, Any]:
        ran: Ran = self.bench.sbkube(*words, "-o", "json")
        assert code is None or ran.code == code, f"{words}: exit {ran.code}\n{ran.out}\n{ran.err}"
        document = ran.json
        _, name, version = document["schema"].split("/")
        assert version == "v1"
        errors = sorted(Draft202012Validator(closed(schema(name))).iter_errors(document), key=str)
        assert not errors, f"{words}: {errors[0].message[:2000]} at {errors[0].json_path}"
        self.schemas.add(name)
        self.commands.add(next(word for word in words if word in ENTRIES))
        return document


@pytest.fixture
def run(bench: Bench) -> Checked:
    chart = bench.chart("web", {"c.yaml": CHART}, "v: 1\n")
    bench.write("a.yaml", [config("a", x="1"), config("b")])
    apps = {
        "a": {"type": "yaml", "manifests": ["a.yaml"]},
        "web": {"type": "helm", "chart": chart, "values": [{"v": 1}], "depends_on": ["a"]},
        "say": {"type": "exec", "commands": ["echo hello"], "depends_on": ["web"]},
    }
    bench.project(apps)
    return Checked(bench)


def deploys(run: Checked) -> None:
    bench = run.bench
    for name in ("plan", "diff", "validate", "template", "prepare", "build", "doctor", "check-updates"):
        run(name, code=None if name == "doctor" else 0)
    run("template", "--output-dir", "out", code=None)
    run("plan", "--out", "saved.json")
    run("apply", "--plan", "saved.json")
    run("status", "--deps", "--check-updates")
    bench.write("a.yaml", config("a", x="2"))
    file = bench.folder / "sbkube.yaml"
    file.write_text(file.read_text().replace("v: 1", "v: 2"))
    run("apply", code=2)
    run("apply", "--dry-run")
    run("apply", "-y")
    run("deploy", "-y")
    run("upgrade", "-y")
    run("adopt", "-y", code=None)


def looks(run: Checked, api_server: Any) -> None:
    run("history")
    run("history", "--diff", "latest~4,latest")
    run("history", "--values-diff", "latest~4,latest", code=None)
    run("show", "latest")
    run("show", "dep-0", code=None)
    run("rollback", "--list")
    run("resume")
    run("recover")
    run("drift")
    gone = run.bench.namespace
    api_server.delete(ResourceKey("", "v1", "ConfigMap", gone, "a"))
    assert run("drift", code=10)["apps"][0]["objects"][0]["state"] == "missing"


def undoes(run: Checked) -> None:
    run("rollback", "-y", "--force")
    run("rollback", "--dry-run", code=None)
    run("delete", "--dry-run")
    run("destroy", "-y")


def state(run: Checked) -> None:
    for name in ("upgrade", "verify", "info", "key"):
        run("state", name)
    run("state", "export", "all.db")
    run("state", "import", "all.db")
    run("state", "prune", "--keep", "2", "--dry-run")
    run("state", "rekey", "-y")
    run("state", "rebuild", "--dry-run")


def others(run: Checked) -> None:
    run("version")
    run("init", "new")
    run("init", "new", code=2)
    run("completion", "bash")
    run.bench.write(
        "old/config.yaml", "namespace: x\napps:\n- name: a\n  type: yaml\n  specs: {paths: [a.yaml]}\n"
    )
    run("migrate", "old", "--dry-run", code=None)
    for name in ("status", "kubeconfig", "down"):
        run("sandbox", name)


def failures(run: Checked) -> None:
    run.bench.write("a.yaml", "kind: Nonsense\napiVersion: nowhere/v1\nmetadata: {name: a}\n")
    assert run("plan", code=3)["schema"] == "sbkube/error/v1"
    run("apply", "-y", code=3)
    run("apply", "--frobnicate", code=2)
    run("rollback", "dep-0", "-y", code=None)
    run.bench.write("a.yaml", {**config("a"), "metadata": {"name": "a", "namespace": "nowhere-at-all"}})
    run("apply", "-y", code=None)


def test_every_document_fits_its_schema(run: Checked, api_server: Any) -> None:
    deploys(run)
    looks(run, api_server)
    undoes(run)
    state(run)
    others(run)
    failures(run)
    assert set(NAMES) - run.schemas <= ELSEWHERE
    assert set(ENTRIES) - run.commands <= {"schema", "serve"}


def test_families_fit_too(bench: Bench) -> None:
    bench.write("sub/a.yaml", config("a"))
    part = {"apiVersion": "sbkube/v1", "metadata": {"name": f"{bench.namespace}-sub"}}
    bench.write("sub/sbkube.yaml", {**part, "apps": {"x": {"type": "yaml", "manifests": ["a.yaml"]}}})
    bench.write("b.yaml", config("b"))
    bench.project({})
    whole = (bench.folder / "sbkube.yaml").read_text().replace("apps: {}", "")
    phases = "phases:\n  p: {source: sub}\n  q: {apps: {b: {type: yaml, manifests: [b.yaml]}}}\n"
    bench.write("sbkube.yaml", whole + phases)
    run = Checked(bench)
    for words in (["plan"], ["apply", "--dry-run"], ["apply", "-y"], ["status"], ["drift"], ["delete", "-y"]):
        assert "projects" in run(*words), words


def test_a_run_that_fails_fits(bench: Bench) -> None:
    bench.project({"say": {"type": "exec", "commands": ["echo to no avail; exit 3"]}})
    found = Checked(bench)("apply", "-y", code=1)
    assert found["deployment"]["status"] == "failed"
    assert Path(bench.folder).exists()
