"""A sandbox per worker, a namespace and a project folder per test, and the command line as a function."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sbkube.cli.main import main
from sbkube.edges import cluster, kubeconfig
from sbkube.edges.sandbox import Sandbox
from sbkube.engine import evidence


@pytest.fixture(scope="session")
def cluster_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig: of the cluster that SBKUBE_TEST_KUBECONFIG names, else of a sandbox of our own."""
    if named := os.environ.get("SBKUBE_TEST_KUBECONFIG"):
        yield Path(named)
        return
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        yield sandbox.up()
    finally:
        sandbox.down()


@pytest.fixture
def api_server(cluster_config: Path) -> Iterator[cluster.HttpCluster]:
    """The cluster as the tests look at it, beside sbkube."""
    connected = cluster.connect(kubeconfig.load(str(cluster_config), None, os.environ))
    yield connected
    connected.close()


@dataclass
class Ran:
    """One command: exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Bench:
    """A project folder, a namespace, and `sbkube` in it."""

    folder: Path
    namespace: str
    config: Path
    capture: Callable[[], tuple[str, str]]
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, name: str, content: str | dict[str, Any] | list[Any]) -> Path:
        """A file of the project; several objects become several documents."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "---\n".join(yaml.safe_dump(item) for item in content)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    def project(self, apps: dict[str, Any], **settings: Any) -> None:
        """`sbkube.yaml` with these apps."""
        self.write(
            "sbkube.yaml",
            {
                "apiVersion": "sbkube/v1",
                "metadata": {"name": self.namespace},
                "settings": {"namespace": self.namespace, **self.settings, **settings},
                "apps": apps,
            },
        )

    def chart(self, name: str, templates: dict[str, str], values: str = "{}", version: str = "1.0.0") -> str:
        """A local chart; gives its path for `chart:`."""
        base = f"charts/{name}"
        self.write(f"{base}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: {version}\n")
        self.write(f"{base}/values.yaml", values)
        for file, text in templates.items():
            self.write(f"{base}/templates/{file}", text)
        return f"./{base}"

    def sbkube(self, *words: str) -> Ran:
        """Run one command line in the project folder."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            code = main([*words, "--kubeconfig", str(self.config)])
        finally:
            os.chdir(before)
        return Ran(code, *self.capture())

    def ok(self, *words: str) -> Ran:
        """Run one command line that must succeed."""
        ran = self.sbkube(*words)
        assert ran.code == 0, f"{words}: exit {ran.code}\n{ran.out}\n{ran.err}"
        return ran


@pytest.fixture
def bench(
    tmp_path: Path, cluster_config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """A project of one's own in a namespace of one's own."""
    if "SBKUBE_TEST_KUBECONFIG" not in os.environ:
        monkeypatch.setattr(evidence, "GRACE", 1.0)  # what fails in the sandbox never heals by itself

    def capture() -> tuple[str, str]:
        read = capsys.readouterr()
        return read.out, read.err

    return Bench(tmp_path, f"t-{uuid.uuid4().hex[:8]}", cluster_config, capture)
