"""A history made with the sandbox, the page of `sbkube serve` on a free port, and Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
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


@pytest.fixture
def address(history: Bench) -> Iterator[str]:
    """The one-time address of a running server."""
    pytest.importorskip("uvicorn", reason="sbkube[web] is not installed")
    import uvicorn

    from sbkube.api import open_browser
    from sbkube.web.door import Door, Rules
    from sbkube.web.server import application, listen

    door, browser = Door(Rules()), open_browser()
    own = listen("127.0.0.1", 0)
    app = application(browser, door, lambda: None)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{own.getsockname()[1]}/login?token={door.invite()}"
    server.should_exit = True
    thread.join(10)
    browser.close()


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
