"""What every command prints, in every format, beside what it printed when somebody last looked.

`SBKUBE_GOLDEN=write make test ARGS=tests/golden` writes the files anew; read the difference before you commit it.
Whatever differs from run to run (ids, times, digests, paths) is replaced by a word.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench, api_server, bench, cluster_config
from shapes import configmap, deployment

from sbkube._version import __version__
from sbkube.cli.main import ENTRIES

__all__ = ["api_server", "bench", "cluster_config"]

FILES = Path(__file__).parent / "printed"
FORMATS = {"human": "txt", "json": "json", "yaml": "yaml", "llm": "llm"}
CHART = """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {greeting: "{{ .Values.greeting }}"}
"""
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"key": "swordfish"}}
# They print what belongs to this machine, or nothing but a file that has tests of its own.
ELSEWHERE = {"completion", "doctor", "sandbox", "schema", "serve", "version"}
WORDS: tuple[tuple[str, str], ...] = (
    (r"dep-\d{14}-[0-9a-f]{8}", "DEPLOYMENT"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|\+00:00)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID"),
    (r"\b[0-9a-f]{32,64}\b", "DIGEST"),
    (r"\b\d+(\.\d+)?(s|ms) ago\b", "AGE"),
    (r"\b\d+[smh] +(?=TOOK|\d)", "AGE  "),
    (r"\(masked [0-9a-f]{8}\)", "(masked)"),
    (r"https://127\.0\.0\.1:\d+", "SERVER"),
    (r"(?m)(?<=\|)\d+(\.\d+)?(?=\||$)", "NUMBER"),
    (r"\b[\w.-]+@[\w.-]+(?=, as )", "SOMEBODY"),
    (r"(?m)^.*: waiting for .*\n", ""),
    (r"(?<![\w.])\d+\.\d+ ?s\b", "TOOK"),
    (r"(seconds\"?: )[\d.e-]+", r"\1TOOK"),
    (r"(\"?(?:pid|bytes|operator|host|resourceVersion)\"?: )\"?[\w.-]+\"?", r"\1VALUE"),
    (r"\bhost=\S+", "host=VALUE"),
)
Formats = tuple[str, ...]
ALL: Formats = tuple(FORMATS)


class Printed:
    """Runs commands and compares what they print."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.commands, self.wrong, self.names = bench, set[str](), list[str](), set[str]()

    def __call__(self, name: str, *words: str, code: int = 0, formats: Formats = ("human",)) -> None:
        self.commands.add(next(word for word in words if word in ENTRIES))
        for kind in formats:
            ran = self.bench.sbkube(*words, *(() if kind == "human" else ("-o", kind)))
            text = f"{ran.out}\n--- stderr\n{ran.err}" if kind == "human" else ran.out
            assert ran.code == code, f"{words}: exit {ran.code}\n{text}\n{ran.err}"
            assert "swordfish" not in text + ran.err
            self._same(f"{name}.{FORMATS[kind]}", self._steady(text))

    def _steady(self, text: str) -> str:
        for one, word in ((str(self.bench.config), "KUBECONFIG"), (str(self.bench.folder), "FOLDER")):
            text = text.replace(one, word)
        text = text.replace(os.environ["HOME"], "HOME").replace(self.bench.namespace, "shop")
        text = text.replace(__version__, "VERSION")
        for pattern, word in WORDS:
            text = re.sub(pattern, word, text)
        return "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"

    def _same(self, name: str, text: str) -> None:
        file = FILES / name
        self.names.add(name)
        if os.environ.get("SBKUBE_GOLDEN") == "write":
            FILES.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        elif not file.exists():
            self.wrong.append(f"{name} is new")
        elif file.read_text("utf-8") != text:
            self.wrong.append(f"{name} differs:\n{text}")


@pytest.fixture
def printed(bench: Bench) -> Printed:
    if os.environ.get("SBKUBE_TEST_KUBECONFIG"):
        pytest.skip("what is printed names the cluster: the files are those of the sandbox")
    chart = bench.chart("web", {"c.yaml": CHART}, "greeting: hello\n")
    bench.write("settings.yaml", [configmap("settings", greeting="hello"), SECRET])
    bench.write("database.yaml", [deployment("database")])
    apps: dict[str, Any] = {
        "settings": {"type": "yaml", "manifests": ["settings.yaml"]},
        "database": {"type": "yaml", "manifests": ["database.yaml"], "depends_on": ["settings"]},
        "web": {"type": "helm", "chart": chart, "depends_on": ["database"]},
    }
    bench.project(apps)
    return Printed(bench)


def test_what_is_printed_is_what_was_printed(printed: Printed) -> None:
    _before(printed)
    _deployed(printed)
    _undone(printed)
    _refused(printed)
    assert set(ENTRIES) - printed.commands == ELSEWHERE
    assert not printed.wrong, "\n\n".join(printed.wrong)
    assert {file.name for file in FILES.iterdir()} == printed.names, "files of commands that no longer run here"


def _before(printed: Printed) -> None:
    for command in (
        "validate",
        "prepare",
        "build",
        "plan",
        "diff",
        "template",
        "check-updates",
        "status",
        "history",
    ):
        printed(f"{command}-before", command, formats=ALL)
    printed("deploy-dry-run", "deploy", "--dry-run", formats=ALL)
    printed("upgrade-dry-run", "upgrade", "--dry-run", formats=ALL)


def _deployed(printed: Printed) -> None:
    printed("apply", "apply", "-y")
    printed("apply-again", "apply", "-y", formats=ALL)
    printed.bench.write("settings.yaml", [configmap("settings", greeting="good morning"), SECRET])
    printed.bench.write("database.yaml", [deployment("database", replicas=2)])
    printed("plan-change", "plan", formats=ALL)
    printed("apply-change", "apply", "-y")
    printed("status", "status", formats=ALL)
    printed("status-all", "status", "-v")
    printed("status-deps", "status", "--deps")
    printed("drift", "drift", formats=ALL)
    printed("history", "history", formats=ALL)
    printed("history-diff", "history", "--diff", "latest~1,latest")
    printed("show", "show", "latest", formats=ALL)
    printed("show-verbose", "show", "latest", "-v")
    printed("adopt", "adopt", "-y", formats=ALL)
    printed("state-verify", "state", "verify", formats=ALL)


def _undone(printed: Printed) -> None:
    printed("rollback", "rollback", "-y")
    printed("resume-nothing", "resume", formats=ALL)
    printed("recover-nothing", "recover", formats=ALL)
    printed("delete-dry-run", "delete", "--dry-run", formats=ALL)
    printed("destroy", "destroy", "-y")
    printed("delete-again", "delete", "-y", formats=ALL)


def _refused(printed: Printed) -> None:
    printed("show-unknown", "show", "dep-0", code=5, formats=ALL)
    printed("init-there", "init", ".", code=2, formats=ALL)
    printed("migrate-nothing", "migrate", ".", code=2, formats=ALL)
    printed.bench.project({"web": {"type": "yaml", "manifest": ["nowhere.yaml"], "depends_on": ["nobody"]}})
    printed("validate-wrong", "validate", code=3, formats=ALL)
    printed("apply-wrong", "apply", "-y", code=3, formats=ALL)
