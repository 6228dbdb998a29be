"""Hooks of an app and of the project: the fields. `steps` says what is run when."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from sbkube.apps.fields import OneOrMore
from sbkube.apps.tasks import Tasks

STAGES = ("prepare", "build", "template", "deploy")
BEFORE_PLANNING = STAGES[:3]


class AppHooks(BaseModel):
    """What is done around the stages of one app. A failing `pre_` stops the app, any other is a warning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pre_prepare: OneOrMore = Field(default=(), description="Shell commands before its sources are fetched.")
    post_prepare: OneOrMore = Field(default=(), description="Shell commands after that.")
    pre_build: OneOrMore = Field(default=(), description="Shell commands before its chart is built.")
    post_build: OneOrMore = Field(default=(), description="Shell commands after that.")
    pre_template: OneOrMore = Field(default=(), description="Shell commands before it is rendered.")
    post_template: OneOrMore = Field(default=(), description="Shell commands after that.")
    pre_deploy: OneOrMore = Field(default=(), description="Shell commands before anything of it is deployed.")
    post_deploy: OneOrMore = Field(default=(), description="Shell commands after everything of it is ready.")
    on_deploy_failure: OneOrMore = Field(default=(), description="Shell commands after its deployment failed.")
    pre_deploy_manifests: OneOrMore = Field(default=(), description="Manifests that are applied before it.")
    post_deploy_manifests: OneOrMore = Field(default=(), description="Manifests that are applied after it.")
    pre_deploy_tasks: Tasks = Field(default=(), description="Tasks before anything of it is deployed.")
    post_deploy_tasks: Tasks = Field(default=(), description="Tasks after everything of it is ready.")

    def commands(self, name: str) -> tuple[str, ...]:
        """The shell commands of one hook."""
        found: tuple[str, ...] = getattr(self, name)
        return found


class StageHooks(BaseModel):
    """What is done around one stage of the whole project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pre: OneOrMore = Field(default=(), description="Shell commands before it; a failure stops the command.")
    post: OneOrMore = Field(default=(), description="Shell commands after it went well.")
    on_failure: OneOrMore = Field(default=(), description="Shell commands after it failed.")


class ProjectHooks(BaseModel):
    """What is done around the stages of the whole project; `apply` is around all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prepare: StageHooks = Field(default=StageHooks(), description="Around fetching.")
    build: StageHooks = Field(default=StageHooks(), description="Around building.")
    template: StageHooks = Field(default=StageHooks(), description="Around rendering.")
    deploy: StageHooks = Field(default=StageHooks(), description="Around deploying.")
    apply: StageHooks = Field(default=StageHooks(), description="Around everything.")
