"""A history made with the sandbox, the page of `sbkube serve` on a free port, and Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench, api_server, bench, cluster_config
from shapes import configmap, deployment

__all__ = ["api_server", "bench", "cluster_config"]

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def history(bench: Bench) -> Bench:
    """Three deployments; the last one fails."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "stringData": {"key": "swordfish"},
    }
    apps: dict[str, Any] = {
        "settings": {"type": "yaml", "manifests": ["settings.yaml"]},
        "database": {"type": "yaml", "manifests": ["database.yaml"], "depends_on": ["settings"]},
        "queue": {"type": "yaml", "manifests": ["queue.yaml"], "depends_on": ["settings"]},
        "shop": {"type": "yaml", "manifests": ["shop.yaml"], "depends_on": ["database", "queue"]},
    }
    bench.project(apps, timeout="3s")
    bench.write("queue.yaml", [deployment("queue")])
    for number, more in enumerate(({}, {}, {"fail": "CrashLoopBackOff"}), 1):
        bench.write(
            "settings.yaml", [configmap("settings", greeting=f"hello {number}", text="<b>bold</b>"), secret]
        )
        bench.write("database.yaml", [deployment("database", replicas=number)])
        bench.write("shop.yaml", [deployment("shop", replicas=1 + number // 2, **more)])
        bench.sbkube("apply", "-y")
    return bench


@dataclass(frozen=True)
class Serving:
    """A running server: a one-time address for each call."""

    base: str
    door: Any
    app: Any
    stop: Callable[[], None]

    def address(self, *, acts: bool = False) -> str:
        """Where a browser comes in, to read or to act."""
        return f"{self.base}/login?token={self.door.invite(acts=acts)}"


@pytest.fixture
def serving(history: Bench) -> Iterator[Serving]:
    """A server that may act on the project of the history."""
    pytest.importorskip("uvicorn", reason="sbkube[web] is not installed")
    import uvicorn

    from sbkube.api import Actions, Where, open_browser
    from sbkube.web.door import Door, Rules
    from sbkube.web.server import application, listen

    raised: list[BaseException] = []
    actions = Actions([str(history.folder)], where=Where(kubeconfig=str(history.config)), tell=raised.append)
    door, browser = Door(Rules(acting=True)), open_browser()
    own = listen("127.0.0.1", 0)
    app = application(browser, door, lambda acts: None, actions)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
    thread.start()
    while not server.started:
        time.sleep(0.02)

    def stop() -> None:
        server.should_exit = True
        thread.join(10)

    yield Serving(f"http://127.0.0.1:{own.getsockname()[1]}", door, app, stop)
    stop()
    actions.close()
    browser.close()
    assert raised == []


@pytest.fixture
def address(serving: Serving) -> str:
    """The one-time address of a running server, to read."""
    return serving.address()


@pytest.fixture
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: to SBKUBE_PICTURES, if that is set."""
    import os

    folder = Path(os.environ.get("SBKUBE_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
