"""`type: exec`: shell commands on this machine, recorded with what they say."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sbkube.apps.base import MASKED, AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Annotations, OneOrMore


class ExecSpec(AppSpec):
    """Commands that are run with each deployment."""

    type: Literal["exec"]
    commands: OneOrMore = Field(min_length=1, description="Shell commands, run one after the other.")
    env: Annotations = Field(default_factory=dict, description="Environment variables for them; never recorded.")

    def snapshot(self) -> dict[str, Any]:
        """The spec without what the environment says."""
        plain = super().snapshot()
        return {**plain, "env": dict.fromkeys(self.env, MASKED)} if self.env else plain


def render(spec: ExecSpec, context: RenderContext) -> Rendered:
    """Nothing but its commands, which `steps` knows."""
    return Rendered(notes=spec.notes)
