"""`type: action`: single steps on objects, in order: apply, create, replace, patch, delete."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Namespace, Text


class Action(BaseModel):
    """One step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["apply", "create", "replace", "patch", "delete"] = Field(
        description="apply: create or update; create: only if it is not there yet; replace: apply, taking fields "
        "of others; patch: apply some fields of an object that is not ours; delete: what is there."
    )
    path: Text = Field(min_length=1, description="File, folder, glob, URL or ${repos.NAME}/PATH with the objects.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")


class ActionSpec(AppSpec):
    """Steps on objects, one after the other."""

    type: Literal["action"]
    actions: tuple[Action, ...] = Field(min_length=1, description="The steps, in order.")


def render(spec: ActionSpec, context: RenderContext) -> Rendered:
    """Nothing but its steps, which `steps` knows."""
    return Rendered(notes=spec.notes)
