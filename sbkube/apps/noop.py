"""`type: noop`: a place in the order, recorded with its notes, that deploys nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Text


class NoopSpec(AppSpec):
    """A place in the order: for what is done by hand, or to gather dependencies."""

    type: Literal["noop"]
    description: Text = Field(default="", description="What this place in the order stands for.")


def render(spec: NoopSpec, context: RenderContext) -> Rendered:
    """Nothing but notes."""
    return Rendered(notes=spec.notes or spec.description)
