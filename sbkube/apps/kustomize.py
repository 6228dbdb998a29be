"""`type: kustomize`: what a kustomization builds, applied by the server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.bases import base_of
from sbkube.apps.fields import Text
from sbkube.apps.objects import at, objects
from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.models.resource import Manifest
from sbkube.sources.problems import refusal
from sbkube.sources.trees import tree_digest
from sbkube.sources.yaml_reader import read_documents

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class KustomizeSpec(AppSpec):
    """A folder with a kustomization."""

    type: Literal["kustomize"]
    path: Text = Field(min_length=1, description="Folder, relative to this file, or ${repos.NAME}/PATH.")


def render(spec: KustomizeSpec, context: RenderContext) -> Rendered:
    """Build it; raises RenderError with kustomize's message, ToolMissing without a program."""
    place = spec.where("path")
    base = base_of(spec.path, context, place)
    if not any((base.target / name).is_file() for name in FILE_NAMES):
        raise RenderError(
            f'there is no kustomization in "{spec.path}"',
            place=place,
            hint=f"it wants a {FILE_NAMES[0]} in {base.target}",
        )
    name = base.name(base.target)
    text = context.build_kustomization(base.target)
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    try:
        for document in read_documents(text, name):
            found = objects(document, problems, cleanup=context.cleanup_metadata)
            manifests += (at(m, Place(name)) for m in found)
    except ConfigError as error:
        problems += error.problems or (Problem(error.message, error.place, error.hint),)
    if problems:
        raise refusal(problems, RenderError, f"app {spec.name}")
    return Rendered(tuple(manifests), notes=spec.notes, sources={name: tree_digest(base.target)})
