"""`type: yaml`: manifests from files, folders, globs and URLs, applied by the server."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Text
from sbkube.apps.manifest_files import read_manifests


class YamlSpec(AppSpec):
    """Plain Kubernetes manifests."""

    type: Literal["yaml"]
    manifests: tuple[Text, ...] = Field(
        validation_alias=AliasChoices("manifests", "files"),
        min_length=1,
        description="Files, folders (their YAML and JSON files) and globs, relative to this file; https:// URLs; "
        "${repos.NAME}/PATH.",
    )


def render(spec: YamlSpec, context: RenderContext) -> Rendered:
    """Read every object; raises RenderError with all files that are missing or broken."""
    named = [
        (pattern, spec.where("manifests", index) or spec.where("files", index))
        for index, pattern in enumerate(spec.manifests)
    ]
    manifests, sources = read_manifests(named, context, f"app {spec.name}")
    return Rendered(manifests, notes=spec.notes, sources=sources)
