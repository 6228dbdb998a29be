"""A project's name without the rest of its file: only where that is what the whole file says too."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.config.load import load_project
from sbkube.config.naming import plain_name
from sbkube.errors import ConfigError

HEAD = "apiVersion: sbkube/v1\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{HEAD}metadata: {{name: shop}}\napps: {{}}\n", "shop"),
        (f"{HEAD}metadata: {{name: shop}}\nsettings: {{namespace: other}}\n", "shop"),
        (f"{HEAD}metadata: {{name: shop}}\napps: {{a: {{type: nonsense}}}}\n", "shop"),  # wrong, but not the name
        (f"{HEAD}metadata: {{name: 5}}\n", ""),
        (f"{HEAD}metadata: {{name: '---'}}\n", ""),
        (f"{HEAD}metadata: [shop]\n", ""),
        (f"{HEAD}apps: {{}}\n", ""),
        (f"{HEAD}metadata: {{name: shop}}\nsettings: {{state: {{url: x.db}}}}\n", ""),
        (f"{HEAD}metadata: {{name: shop}}\nsettings: {{environment: prod}}\n", ""),
        ("metadata: {name: shop}\n", ""),
        ("apiVersion: other/v1\nmetadata: {name: shop}\n", ""),
        ("- shop\n", ""),
        ("", ""),
    ],
)
def test_a_plain_name(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "sbkube.yaml").write_text(text)
    assert plain_name(tmp_path) == name
    if name and "nonsense" not in text:
        assert load_project(tmp_path).name == name


def test_what_is_no_yaml_or_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no sbkube\.yaml here"):
        plain_name(tmp_path)
    (tmp_path / "sbkube.yaml").write_text("a: [")
    with pytest.raises(ConfigError):
        plain_name(tmp_path)
