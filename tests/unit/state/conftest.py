"""A real database for each test, once a SQLite file and once on PostgreSQL, away from home and environment of
whoever runs it. Tests that ask for `file` are about SQLite and run once."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest

from sbkube.models.deployment_state import DeploymentCreate, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import new_key_text
from sbkube.state.tracker import DeploymentTracker


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SBKUBE_STATE_URL", raising=False)
    monkeypatch.delenv("SBKUBE_STATE_KEY", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "deployments.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        sqlite_only = "file" in signature(metafunc.function).parameters
        metafunc.parametrize("backend", ["sqlite"] if sqlite_only else ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgres`."""
    return str(request.param)


@pytest.fixture
def place(backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | Path:
    """What the database is opened with: a path, or the URL of a PostgreSQL database that has our tables."""
    if backend == "sqlite":
        return Path(request.getfixturevalue("file"))
    monkeypatch.setenv("SBKUBE_STATE_KEY", new_key_text())  # no key file is made there
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(place: str | Path) -> Iterator[DeploymentDatabase]:
    opened = DeploymentDatabase(place)
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
