"""The project that `sbkube init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.apps import APP_TYPES
from sbkube.apps.base import RenderContext
from sbkube.config.load import load_project
from sbkube.config.starter import starter_files
from sbkube.models.release import RenderedChart


@pytest.mark.parametrize(
    ("name", "namespace"),
    [("shop", "shop"), ("My Shop!", "my-shop"), ("12", "12"), ("no", "no"), ("true", "true"), ('a"b\\c', "a-b-c"),
     ("x" * 80, "x" * 63)],
)  # fmt: skip
def test_it_loads_and_renders_whatever_the_folder_is_called(tmp_path: Path, name: str, namespace: str) -> None:
    for relative, text in starter_files(name).items():
        path = tmp_path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project = load_project(tmp_path, environ={})
    assert (project.name, project.settings.namespace, project.warnings) == (name, namespace, ())
    context = RenderContext(tmp_path, namespace, lambda spec: RenderedChart(""))
    for app in project.apps.values():
        assert APP_TYPES[app.type].render(app, context).manifests


def test_a_name_that_cannot_be_a_label_is_replaced() -> None:
    assert "name: project" in starter_files("äö")["sbkube.yaml"]


def test_it_keeps_downloads_out_of_git() -> None:
    assert ".sbkube/" in starter_files("shop")[".gitignore"]
