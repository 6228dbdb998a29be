"""`type: hook`: tasks as an app of their own."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import OneOrMore, refuse
from sbkube.apps.tasks import Dependency, TaskRollback, Tasks, Validation


class HookSpec(AppSpec):
    """Tasks that are done with each deployment."""

    type: Literal["hook"]
    tasks: Tasks = Field(default=(), description="What is done, in order.")
    commands: OneOrMore = Field(default=(), description="Shell commands, before the tasks.")
    validation: Validation | None = Field(default=None, description="What must be there after all tasks.")
    dependency: Dependency = Field(default=Dependency(), description="What must be there before all tasks.")
    rollback: TaskRollback | None = Field(default=None, description="How the app is undone.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.tasks or self.commands or self.hooks):
            raise refuse("does nothing", "give it tasks, commands or hooks")
        return self


def render(spec: HookSpec, context: RenderContext) -> Rendered:
    """Nothing but its tasks, which `steps` knows."""
    return Rendered(notes=spec.notes)
