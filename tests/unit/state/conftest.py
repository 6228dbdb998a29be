"""A real SQLite file for each test, away from home and environment of whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sbkube.models.deployment_state import DeploymentCreate, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SBKUBE_STATE_URL", raising=False)
    monkeypatch.delenv("SBKUBE_STATE_KEY", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "deployments.db"


@pytest.fixture
def database(file: Path) -> Iterator[DeploymentDatabase]:
    opened = DeploymentDatabase(file)
    yield opened
    opened.close()


@pytest.fixture
def tracker(database: DeploymentDatabase) -> DeploymentTracker:
    return DeploymentTracker(database)


@pytest.fixture
def target() -> LockTarget:
    return LockTarget("shop", "uid-1", "default")


@pytest.fixture
def create() -> DeploymentCreate:
    return DeploymentCreate(
        cluster="k3s",
        namespace="default",
        app_config_dir="config",
        config_file_path="config/sbkube.yaml",
        command="apply",
        config_snapshot={"apps": {"web": {"type": "yaml"}}},
        project="shop",
        cluster_uid="uid-1",
    )
