"""A program that is run against the sandbox, and what it left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """One command: exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it wrote."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Standard output as a table without its headings; columns are parted by two spaces or a tab."""
        return [re.split(r"\s{2,}|\s*\t\s*", line.rstrip()) for line in self.out.splitlines()[1:] if line.strip()]


@dataclass(frozen=True)
class Program:
    """A command line program in one namespace ("" none); `environ` names the sandbox."""

    path: Path
    environ: Mapping[str, str]
    namespace: str = ""

    def __call__(self, *words: str, code: int = 0, stdin: str = "", **environ: str) -> Ran:
        """Runs it; an exit code that is not `code` is a failure, with all it said."""
        where = ["--namespace", self.namespace] if self.namespace else []
        done = subprocess.run(
            [str(self.path), *where, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **self.environ, **environ},
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    def moved(self) -> Program:
        """kubectl in a new namespace."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        self("create", "namespace", name)
        return replace(self, namespace=name)

    def popen(self, *words: str) -> subprocess.Popen[str]:
        """Starts it and goes on."""
        where = ["--namespace", self.namespace] if self.namespace else []
        return subprocess.Popen(
            [str(self.path), *where, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environ},
        )

    def read(self, *words: str) -> Any:
        """`get … -o json`; None when it is not there."""
        out = self("get", *words, "--output", "json", "--ignore-not-found").out
        return json.loads(out) if out else None

    def items(self, *words: str) -> list[Any]:
        """The objects of a list; none is an empty list."""
        return list((self.read(*words) or {}).get("items", ()))


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """What `true` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found
