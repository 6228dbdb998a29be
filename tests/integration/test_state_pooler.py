"""A real pooler in transaction mode between sbkube and PostgreSQL. Skipped where `pgbouncer` is not installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from integration.test_crash import _until
from integration.test_state_postgres_loss import DATA, TARGET, run
from ledger_plans import apply, config_map, live, outcome, plan_of
from postgres import Server, own_server
from sqlalchemy import make_url

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import new_key_text
from sbkube.state.tracker import DeploymentTracker

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


@pytest.fixture(scope="module")
def behind() -> Iterator[Server]:
    with own_server() as server:
        yield server


@pytest.fixture
def pooled(behind: Server, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database through a pooler that has two connections for everybody."""
    direct = make_url(behind.database(upgraded=False))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = Path(str(direct.query["host"])) / "pgbouncer.ini"
    config.write_text(f"""[databases]
* = host={direct.query["host"]} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_round_robin = 1
ignore_startup_parameters = extra_float_digits
""")
    config.chmod(0o644)
    command = [str(PROGRAM), str(config)]
    if os.geteuid() == 0:  # it refuses to run as root
        command[1:1] = ["-u", behind.own.system_user or "nobody"]
    log = (tmp_path / "pooler.log").open("w+")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until(lambda: _listens(port) or process.poll() is not None, 30)
        assert process.poll() is None, Path(log.name).read_text()
        yield f"postgresql://postgres@127.0.0.1:{port}/{direct.database}"
    finally:
        process.terminate()
        process.wait()
        log.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_many_runs_share_two_connections(pooled: str, tmp_path: Path) -> None:
    environ = {"SBKUBE_STATE_KEY": new_key_text()}
    DeploymentDatabase.upgrade(pooled, environ)
    trackers = [DeploymentTracker(DeploymentDatabase(pooled, environ=environ)) for _ in range(4)]

    def deploy(number: int) -> DeploymentStatus:
        tracker, target = trackers[number % 4], replace(TARGET, namespace=f"ns-{number}")
        op = apply(config_map(f"c{number}"))
        lock = tracker.acquire(target, "apply")
        journal = tracker.begin(replace(DATA, namespace=target.namespace), plan_of(op), lock)
        journal.intend([op])
        journal.settle([outcome(op, live(config_map(f"c{number}")))])
        tracker.renew(lock)
        journal.app_ended("web", DeploymentStatus.SUCCESS)
        ended = journal.finish().status
        tracker.release(lock)
        return ended

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deploy, range(24))) == {DeploymentStatus.SUCCESS}
    assert {run(trackers[0], []) for _ in range(8)} == {DeploymentStatus.SUCCESS}  # psycopg prepares after five
    verdict = trackers[1].verify()
    assert (verdict.findings, verdict.closings) == ((), 32)
    assert trackers[2].inventory(TARGET)
    exported = trackers[3].export_to(tmp_path / "all.zst")
    assert exported.deployments == 32
    for tracker in trackers:
        tracker.close()
