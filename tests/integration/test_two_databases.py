"""Two laptops, each with a database of its own, deploy one project: who has not caught up takes nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app
from shapes import configmap

from sbkube.edges.cluster import HttpCluster


class Laptops:
    """`use` changes to the database of one of them."""

    def __init__(self, folder: Path, environ: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._environ = environ

    def use(self, name: str) -> None:
        """All commands from now on are this laptop's."""
        self._environ.setenv("SBKUBE_STATE_URL", str(self.folder / f"{name}.db"))


@pytest.fixture
def laptops(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laptops:
    """The first has deployed `a` and `b`; the second, which knows nothing of that, has then changed `a`."""
    both = Laptops(tmp_path, monkeypatch)
    both.use("first")
    app(bench, configmap("a", x="1"), configmap("b", x="1"))
    bench.ok("apply", "-y")
    both.use("second")
    app(bench, configmap("a", x="2"))
    ran = bench.ok("apply", "-y")
    assert "state rebuild" in ran.err
    return both


def _behind(bench: Bench, api_server: HttpCluster) -> None:
    for words in (("rollback", "-y"), ("delete", "-y")):
        ran = bench.sbkube(*words, "-o", "json")
        assert ran.code == 5 and "state import" in ran.json["hint"]
    assert get(api_server, "ConfigMap", bench.namespace, "b") is not None


def test_a_rebuild_catches_up(bench: Bench, api_server: HttpCluster, laptops: Laptops) -> None:
    _behind(bench, api_server)
    bench.ok("state", "rebuild", "-y")
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is not None
    assert bench.ok("drift").code == 0
    laptops.use("first")
    _behind(bench, api_server)
    bench.ok("state", "rebuild", "-y")
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None


def test_an_import_catches_up(bench: Bench, api_server: HttpCluster, laptops: Laptops) -> None:
    laptops.use("first")
    _behind(bench, api_server)
    laptops.use("second")
    bench.ok("state", "export", str(laptops.folder / "history"))
    laptops.use("first")
    bench.ok("state", "import", str(laptops.folder / "history"))
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is not None
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is None
