"""`type: git`: a repository at a commit, for other apps to use as `${repos.NAME}/…`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Text
from sbkube.errors import RenderError
from sbkube.models.source import Repository
from sbkube.sources.problems import did_you_mean


class GitSpec(AppSpec):
    """A git repository that other apps take files from."""

    type: Literal["git"]
    repo: Text = Field(min_length=1, description="Name in settings.git_repos, or a URL.")
    path: Text = Field(default="", description="Folder in the repository that must be there.")
    branch: Text = Field(default="", description="Branch; default: that of the settings, or the repository's own.")
    ref: Text = Field(default="", description="Commit or tag; wins over branch.")

    @property
    def _is_name(self) -> bool:
        return not any(mark in self.repo for mark in ("/", ":"))

    @property
    def checkout(self) -> str:
        """The name by which others use it: that of the settings, else the app's."""
        return self.repo if self._is_name else self.short

    def checkouts(self, named: Mapping[str, Repository]) -> dict[str, Repository]:
        """Itself, at its branch or ref."""
        known = named.get(self.repo) if self._is_name else Repository.at(self.short, self.repo)
        if known is None:
            return {}
        return {self.checkout: replace(known, revision=self.ref or self.branch or known.revision)}

    def snapshot(self) -> dict[str, Any]:
        """The spec without a login in its URL."""
        return {**super().snapshot(), "repo": Repository.at("", self.repo).url}


def render(spec: GitSpec, context: RenderContext) -> Rendered:
    """Nothing to deploy, but a commit to record; raises SourceUnavailable, or RenderError for a missing path."""
    tree = context.catalogue.tree(spec.checkout, spec.where("repo"))
    if spec.path and not (tree.path / spec.path).is_dir():
        names = [item.name for item in tree.path.iterdir() if item.is_dir()]
        raise RenderError(
            f'{tree.name} has no folder "{spec.path}" at commit {tree.version[:12]}',
            place=spec.where("path"),
            hint=did_you_mean(spec.path, names, noun="folders there"),
        )
    return Rendered(notes=spec.notes, sources={tree.name: f"git:{tree.version}"})
