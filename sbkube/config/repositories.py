"""The named repositories of the settings: how they are written, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

from sbkube.apps.fields import Text, refuse
from sbkube.models.source import Login, Repository
from sbkube.sources.catalogue import Repositories


class RepositoryLogin(BaseModel):
    """Fields of every repository. Passwords are never recorded or shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    username: Text = Field(default="", description="Who we are there.")
    password: Text = Field(default="", description="Better as ${ENV}: then it is not in the file.", repr=False)

    def login(self, folder: Path) -> Login:
        """How to be let in; files are relative to `folder`."""
        return Login(self.username, self.password)


class HelmRepository(RepositoryLogin):
    """A classic Helm repository."""

    url: Text = Field(min_length=1, description="Where its index.yaml is.")
    ca_file: Text = Field(default="", description="Certificate authority to trust.")
    cert_file: Text = Field(default="", description="Client certificate.")
    key_file: Text = Field(default="", description="Key of the client certificate.")
    insecure_skip_tls_verify: bool = Field(default=False, description="Trust any certificate.")

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value.startswith("oci://"):
            raise refuse("is a registry", "put it into oci_registries")
        if not value.startswith(("https://", "http://")):
            raise refuse(f'must be a URL, not "{value}"', f"https://{value} perhaps?")
        return value

    def login(self, folder: Path) -> Login:
        """Login and trust."""
        return Login(
            self.username,
            self.password,
            ca_file=_file(folder, self.ca_file),
            cert_file=_file(folder, self.cert_file),
            key_file=_file(folder, self.key_file),
            insecure=self.insecure_skip_tls_verify,
        )


class OciRegistry(RepositoryLogin):
    """A registry with charts; `oci://` is added where it is missing."""

    url: Text = Field(
        min_length=1, alias="registry", description="Host and path, such as oci://ghcr.io/org/charts."
    )


class GitRepository(RepositoryLogin):
    """A git repository. `ref` (a commit or tag) wins over `branch`."""

    url: Text = Field(min_length=1, description="Where it is: https, ssh, or a path.")
    branch: Text = Field(default="", description="Branch; default: the repository's own.")
    ref: Text = Field(default="", description="Commit or tag.")
    ssh_key: Text = Field(default="", description="Private key for ssh.")

    def login(self, folder: Path) -> Login:
        """Login, or key."""
        return Login(self.username, self.password, ssh_key=_file(folder, self.ssh_key))


def _file(folder: Path, name: str) -> Path | None:
    return folder / os.path.expanduser(name) if name else None  # noqa: PTH111 - Path.expanduser raises


def _url(value: Any) -> Any:
    """A URL alone is short for a map with it."""
    if isinstance(value, str):
        return {"url": value}
    if not isinstance(value, dict):
        raise refuse("must be a URL, or a map with url")
    return value


def _registry(value: Any) -> Any:
    found = _url(value)
    if "url" in found and "registry" in found:
        raise refuse("names the registry twice, as url and as registry", "remove one of the two")
    return found


_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
HelmRepos = dict[str, Annotated[HelmRepository, BeforeValidator(_url), _SCHEMA]]
GitRepos = dict[str, Annotated[GitRepository, BeforeValidator(_url), _SCHEMA]]
OciRegistries = dict[str, Annotated[OciRegistry, BeforeValidator(_registry), _SCHEMA]]


# The key of the settings → what stands below each name.
REPOSITORIES: Mapping[str, type[RepositoryLogin]] = {
    "helm_repos": HelmRepository,
    "oci_registries": OciRegistry,
    "git_repos": GitRepository,
}


class Named(Protocol):
    """The three maps of the settings."""

    @property
    def helm_repos(self) -> HelmRepos:
        """Helm repositories."""

    @property
    def oci_registries(self) -> OciRegistries:
        """Registries with charts."""

    @property
    def git_repos(self) -> GitRepos:
        """Git repositories."""


def repositories(settings: Named, folder: Path) -> Repositories:
    """The settings as values; files are relative to `folder`."""
    helm, oci, git = settings.helm_repos, settings.oci_registries, settings.git_repos
    return Repositories(
        helm={n: Repository.at(n, r.url, r.login(folder)) for n, r in helm.items()},
        oci={n: Repository.at(n, _oci(r.url), r.login(folder)) for n, r in oci.items()},
        git={n: Repository.at(n, r.url, r.login(folder), r.ref or r.branch) for n, r in git.items()},
    )


def _oci(url: str) -> str:
    return url if "://" in url else f"oci://{url}"


def merged(found: Iterable[Repositories]) -> Repositories:
    """The repositories of several settings; the first one of a name counts."""
    result = Repositories(helm={}, oci={}, git={})
    for one in found:
        result = Repositories(
            helm={**one.helm, **result.helm}, oci={**one.oci, **result.oci}, git={**one.git, **result.git}
        )
    return result
