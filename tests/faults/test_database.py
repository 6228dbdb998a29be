"""The state database fails at any transaction: exit 5 and nothing was touched, or exit 6 and nothing is forgotten.

The outcomes that the database could not take are in a file whose name is printed; once the database is back,
`state import` reads it, and the next apply converges. Where the database is lost, an older copy stands in.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import agreement
from faults.conftest import Tally
from faults.kills import SCENARIOS, whole, without_hooks
from faults.length import long_or_short, note, spread
from faults.server import Seen
from faults.stage import Case, Stage
from postgres import Server, own_server
from sqlalchemy import make_url

from sbkube.state.secrets import key_file

SQLITE = ("full", "no room", "read only", "deleted", "corrupted", "locked")
LOST = ("deleted", "corrupted")
POSTGRES = ("backend killed", "server stopped")
SHARDS = long_or_short(4, 1)


def _written(seen: list[Seen]) -> list[Seen]:
    """Requests that have changed the cluster, the lock's left out."""
    return [s for s in seen if s.writes and not s.lease and 200 <= s.code < 300 and "reviews" not in s.path]


def _dump(err: str) -> Path | None:
    found = re.search(r"(/\S+/sbkube-outcomes-[\w-]+\.json)", err)
    return Path(found.group(1)) if found else None


def _known_operations(case: Case, dump: Path) -> str:
    """Names of all operations with an outcome, in the dump or in the database, as one text."""
    text = dump.read_text()
    if case.url or not case.database.exists():
        return text
    try:
        with sqlite3.connect(case.database) as conn:
            for table in ("deployed_resources", "helm_releases"):
                text += repr(conn.execute(f"select operation from {table} where state != 'intended'").fetchall())
    except sqlite3.DatabaseError:
        pass  # it is the one that was corrupted: the dump has to do
    return text


def _forgotten(case: Case, dump: Path) -> list[str]:
    known = _known_operations(case, dump)
    one = [s for s in _written(case.guard.seen) if "sbkube" in s.agent and s.method != "POST"]
    names = {s.path.partition("?")[0].rpartition("/")[2] for s in one}
    return [f"the outcome for {name} is nowhere" for name in sorted(names) if f"/{name}" not in known]


def _repair(stage: Stage, case: Case, how: str, server: Server | None) -> None:
    if how == "server stopped":
        assert server is not None
        server.start()
    if how in LOST:
        for file in case.state.glob("deployments.db*"):
            file.unlink()
        for file in (stage.folder / "A" / "state").glob("deployments.db*"):
            shutil.copy(file, case.state)


def _try(stage: Stage, case: Case, how: str, at: int, server: Server | None = None) -> tuple[int, list[str]]:
    run = whole(stage, "apply")
    before = case.content(), agreement.releases(case.settled())
    ended = case.run(*SCENARIOS["apply"].words, **{"break": {"how": how, "at": at}})
    written, dump = _written(case.guard.seen), _dump(ended.err)
    bad = []
    if ended.code == 5:
        if (case.content(), agreement.releases(case.settled())) != before:
            bad.append("exit 5, but something was touched")
    elif ended.code == 6:
        if not written:
            bad.append("exit 6, but nothing had been written")
        if dump is None or not dump.exists():
            bad.append(f"exit 6 without a dump: {ended.err[-500:]}")
        else:
            bad += _forgotten(case, dump) + agreement.in_clear(dump)
    elif ended.code:
        bad.append(f"exit {ended.code}")
    _repair(stage, case, how, server)
    if ended.code == 6 and dump is not None and dump.exists() and how not in LOST:
        imported = case.run("state", "import", str(dump))
        if imported.code:
            bad.append(f"state import: exit {imported.code}: {imported.err[-500:]}")
    if dump is not None:
        dump.unlink(missing_ok=True)
    if how not in LOST:
        bad += _converges(case, run)
    if bad:
        bad.append(f"[exit {ended.code}: {ended.err[-1200:]}]")
    return ended.code, bad


def _converges(case: Case, run: Any) -> list[str]:
    final = case.run("apply", "-y")
    if final.code:
        return [f"the next apply: exit {final.code}: {final.err[-1000:]}"]
    return agreement.differences(run.after, without_hooks(case.content())) + case.disagreements()


def _noted(name: str, code: int, bad: list[str]) -> tuple[str, int, list[str]]:
    if bad:
        note(f"{name}: " + "; ".join(bad))
    return name, code, bad


def _summed(results: list[tuple[str, int, list[str]]], tally: Tally) -> None:
    for _, code, bad in results:
        tally(cases=1, failures=int(bool(bad)), **{f"exit_{code}": 1})
    failures = [f"{name}: " + "; ".join(bad) for name, _, bad in results if bad]
    assert not failures, f"{len(failures)} of {len(results)} failed:\n" + "\n\n".join(failures)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("how", SQLITE)
def test_a_broken_file_stops_the_work_in_time(stage: Stage, how: str, shard: int, tally: Tally) -> None:
    """SQLite, broken at each transaction of an apply."""
    points = list(range(1, whole(stage, "apply").commits + 1))
    if how == "locked":
        points = points[::4]  # each takes the ten seconds for which SQLite waits
    results = []
    for at in spread(points[2:], 3)[SQLITE.index(how) % 3 :: 3] if SHARDS == 1 else points[shard::SHARDS]:
        with stage.case("A") as case:
            results.append(_noted(f"{how} at {at}", *_try(stage, case, how, at)))
    _summed(results, tally)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A PostgreSQL server that may be killed; what it has committed it keeps."""
    with own_server() as server:
        server.execute("ALTER SYSTEM SET synchronous_commit = on", "SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="module")
def ledger(stage: Stage, mortal: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The URL of a database with what state A records, and the environment with its key."""
    file = tmp_path_factory.mktemp("ledger") / "ledger"
    with stage.case("A") as case:
        case.ok("state", "export", str(file))
        case.url, case.extra = mortal.database(), {"SBKUBE_STATE_KEY": key_file(case.database).read_text().strip()}
        case.ok("state", "import", str(file))
        return case.url, case.extra


def _copy(server: Server, url: str) -> str:
    source = make_url(url)
    name = f"{source.database}_{uuid.uuid4().hex[:6]}"
    # A copied sequence believes that its next values are in the log already, where a crash would not find them; a
    # checkpoint makes it write them down.
    server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source.database}"', "CHECKPOINT")
    return source.set(database=name).render_as_string(hide_password=False)


@pytest.mark.parametrize("how", POSTGRES)
def test_a_killed_postgresql_stops_the_work_in_time(
    stage: Stage, how: str, mortal: Server, ledger: tuple[str, dict[str, str]], tally: Tally
) -> None:
    """PostgreSQL, killed at each transaction of an apply."""
    results = []
    for at in spread(range(6, whole(stage, "apply").commits + 1), 1):
        url = _copy(mortal, ledger[0])
        with stage.case("A") as case:
            case.url, case.extra = url, ledger[1]
            results.append(_noted(f"{how} at {at}", *_try(stage, case, how, at, mortal)))
        mortal.drop(url)
    _summed(results, tally)
