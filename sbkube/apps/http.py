"""`type: http`: a file from the web, put into the project's folder before anything is rendered."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from sbkube.apps.base import MASKED, AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Annotations, Text, refuse
from sbkube.errors import RenderError
from sbkube.sources.catalogue import Fetched


class HttpSpec(AppSpec):
    """A file that other apps use."""

    type: Literal["http"]
    url: Text = Field(pattern=r"^https?://", description="Where the file is.")
    dest: Text = Field(min_length=1, description="Where it goes: a path below this file's folder.")
    headers: Annotations = Field(default_factory=dict, description="Headers of the request; never recorded.")
    sha256: Text = Field(default="", description="Digest that the file must have, 64 hex digits.")

    @field_validator("sha256")
    @classmethod
    def _valid_digest(cls, value: str) -> str:
        digest = value.removeprefix("sha256:").lower()
        if digest and (len(digest) != 64 or any(c not in "0123456789abcdef" for c in digest)):
            raise refuse("must be 64 hexadecimal digits", "`sha256sum FILE` prints them")
        return digest

    def snapshot(self) -> dict[str, Any]:
        """The spec without what headers say, and without a query, which may hold a signature."""
        plain = {**super().snapshot(), "url": self.url.partition("?")[0]}
        if self.headers:
            plain["headers"] = dict.fromkeys(self.headers, MASKED)
        return plain


def fetch(spec: HttpSpec, context: RenderContext) -> None:
    """Put the file where it belongs, if it is not there as it is; raises SourceUnavailable or RenderError."""
    target = _target(spec, context)
    found = _found(spec, context)
    content = found.path.read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        if target.exists() and not (target.is_file() and context.catalogue.downloaded(target)):
            message = f'"{spec.dest}" is there already, and is not what was downloaded before'
            raise RenderError(message, place=spec.where("dest"), hint="move it away, or name another place")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(found.path, part)
        part.replace(target)


def _target(spec: HttpSpec, context: RenderContext) -> Path:
    """Where the file belongs; raises RenderError where that is not in the project."""
    target = context.folder / spec.dest
    if not target.resolve().is_relative_to(context.folder.resolve()):
        raise RenderError(
            f'"{spec.dest}" leads out of the project', place=spec.where("dest"), hint="name a path below it"
        )
    return target


def render(spec: HttpSpec, context: RenderContext) -> Rendered:
    """Nothing to deploy, but a digest to record."""
    _target(spec, context)
    found = _found(spec, context)
    return Rendered(notes=spec.notes, sources={spec.dest: found.digest})


def _found(spec: HttpSpec, context: RenderContext) -> Fetched:
    digest = f"sha256:{spec.sha256}" if spec.sha256 else ""
    return context.catalogue.file(spec.url, digest, headers=spec.headers, place=spec.where("url"))
