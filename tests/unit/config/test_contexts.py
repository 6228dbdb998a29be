"""Apps of other contexts are children of the project."""

from __future__ import annotations

from pathlib import Path

import yaml

from sbkube.config.contexts import split
from sbkube.config.load import load_project

NOOP = {"type": "noop"}
EDGE = {"type": "noop", "context": "edge"}


def warned(folder: Path, **project: object) -> tuple[str, ...]:
    content = {"apiVersion": "sbkube/v1", "metadata": {"name": "shop"}, **project}
    (folder / "sbkube.yaml").write_text(yaml.safe_dump(content))
    return split(load_project(folder, environ={})).warnings


def test_hooks_that_are_not_around_other_contexts_are_told_of(tmp_path: Path) -> None:
    hooks = {"deploy": {"pre": ["true"]}}
    assert warned(tmp_path, apps={"here": NOOP, "there": EDGE}) == ()
    assert warned(tmp_path, apps={"here": NOOP}, hooks=hooks) == ()
    text = "hooks of the project are not run around its apps in the context edge"
    assert warned(tmp_path, apps={"here": NOOP, "there": EDGE}, hooks=hooks) == (text,)


def test_hooks_of_a_phase(tmp_path: Path) -> None:
    hooks = {"deploy": {"pre": ["true"]}}
    for name, apps in (("a", {"one": NOOP, "two": EDGE}), ("b", {"three": NOOP})):
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump({"apiVersion": "sbkube/v1", "apps": apps, "hooks": hooks})
        )
    phases = {"a": {"source": "a.yaml"}, "b": {"source": "b.yaml"}}
    text = "hooks of phase a are not run around its apps in the context edge"
    assert warned(tmp_path, phases=phases) == (text,)
