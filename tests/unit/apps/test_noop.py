"""The noop app."""

from __future__ import annotations

from pathlib import Path

from sbkube.apps.base import RenderContext, Rendered
from sbkube.apps.noop import NoopSpec, render
from sbkube.models.release import RenderedChart


def test_it_deploys_nothing_and_leaves_a_note() -> None:
    spec = NoopSpec.model_validate({"type": "noop", "description": "wait for the DNS entry"}).located("dns")
    rendered = render(spec, RenderContext(Path(), "shop", lambda spec: RenderedChart("")))
    assert rendered == Rendered(notes="wait for the DNS entry")
    assert spec.snapshot() == {"type": "noop", "description": "wait for the DNS entry"}
