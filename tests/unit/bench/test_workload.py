"""The workload is one project for sbkube and the same objects for its peers."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.workload import Workload, change
from sbkube.config.load import load_project


def _documents(path: Path) -> list[object]:
    return list(yaml.safe_load_all(path.read_text()))


def test_sbkube_and_peers_get_the_same_objects(tmp_path: Path) -> None:
    Workload(2, 3, 4).write(tmp_path)
    project = load_project(tmp_path, environ={})
    assert sorted(app.type for app in project.apps.values()) == ["helm"] * 2 + ["yaml"] * 3
    files = sorted((tmp_path / "manifests").iterdir())
    assert [item for file in files for item in _documents(file)] == _documents(tmp_path / "all.yaml")
    assert len(_documents(tmp_path / "all.yaml")) == Workload(2, 3, 4).config_maps == 12


def test_one_value_changes(tmp_path: Path) -> None:
    Workload(2, 0, 0).write(tmp_path)
    before = {path: path.read_text() for path in tmp_path.rglob("*.yaml")}
    change(tmp_path, "web00", "other")
    changed = [path for path, text in before.items() if path.read_text() != text]
    assert changed == [tmp_path / "charts" / "web00" / "values.yaml"]
