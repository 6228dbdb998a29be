"""A project with two projects of its own: `base`, which comes before its apps, and `extra`, which comes behind.

Each has manifests and a command that writes `begin NAME` and `end NAME` to the file that TRACE names. State B
changes something in each of them, and prunes an app of `base`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from faults.kills import Scenario
from faults.shop import NAMESPACE
from faults.workshop import command, configmap

APPLY = Scenario("apply", "A", ("apply", "-y"))
ANEW = Scenario("anew", "empty", ("apply", "-y"))
ROLLBACK = Scenario("rollback", "B", ("rollback", "-y"))
DELETE = Scenario("delete", "B", ("delete", "-y"))
SCENARIOS = {s.name: s for s in (APPLY, ANEW, ROLLBACK, DELETE)}
COMMANDS = ("base", "own", "extra")
PROJECTS = (NAMESPACE, f"{NAMESPACE}-base", f"{NAMESPACE}-extra")


def write(folder: Path, state: str, without: Collection[str] = ()) -> None:
    """Write all three projects as they are in state `A` or `B`."""
    phases: dict[str, Any] = {
        "base": {"source": "base"},
        "own": {"depends_on": ["base"], "apps": _apps(folder, "own", state)},
        "extra": {"source": "extra", "depends_on": ["own"]},
    }
    for name in ("base", "extra"):
        apps = _apps(folder / name, name, state)
        if (name, state) == ("base", "A"):
            apps["old"] = {"type": "yaml", "manifests": [_manifest(folder / name, "old", "A")]}
        _project(folder / name, {"metadata": {"name": f"{NAMESPACE}-{name}"}, "apps": apps})
    settings = {"namespace": NAMESPACE, "timeout": 20}
    _project(folder, {"metadata": {"name": NAMESPACE}, "settings": settings, "phases": phases})


def _project(folder: Path, document: dict[str, Any]) -> None:
    (folder / "sbkube.yaml").write_text(yaml.safe_dump({"apiVersion": "sbkube/v1", **document}, sort_keys=False))


def _apps(folder: Path, name: str, state: str) -> dict[str, Any]:
    return {
        "page": {"type": "yaml", "manifests": [_manifest(folder, name, state)]},
        "say": {"type": "exec", "commands": [command(name)], "depends_on": ["page"]},
    }


def _manifest(folder: Path, name: str, state: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(configmap(name, state=state)))
    return f"{name}.yaml"
