"""What the reports need to know of values that other layers own; anything of this shape will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sbkube.models.deployment_state import DeploymentRecord
from sbkube.models.health import Health
from sbkube.models.resource import ClusterInfo, ResourceKey


class AppStatusLike(Protocol):
    """One app as it is now, with every object, the worst first."""

    @property
    def name(self) -> str:
        """Name of the app."""

    @property
    def type(self) -> str:
        """Type of the app."""

    @property
    def namespace(self) -> str:
        """Where its objects are."""

    @property
    def health(self) -> Health:
        """All objects together."""

    @property
    def objects(self) -> tuple[tuple[ResourceKey, Health], ...]:
        """Every object with its health."""

    @property
    def release(self) -> str:
        """Chart, revision and status of its Helm release, or nothing."""

    @property
    def notes(self) -> str:
        """What its author wants people to know."""


class StatusLike(Protocol):
    """What runs of a project on a cluster."""

    @property
    def cluster(self) -> ClusterInfo:
        """The cluster that was asked."""

    @property
    def project(self) -> str:
        """Name of the project."""

    @property
    def namespace(self) -> str:
        """Its base namespace."""

    @property
    def last(self) -> DeploymentRecord | None:
        """The newest deployment."""

    @property
    def apps(self) -> Sequence[AppStatusLike]:
        """Its apps."""


class CheckLike(Protocol):
    """One thing that the doctor looked at."""

    @property
    def name(self) -> str:
        """What was looked at."""

    @property
    def ok(self) -> bool:
        """It is as it should be."""

    @property
    def text(self) -> str:
        """What was found."""

    @property
    def hint(self) -> str:
        """The way out."""
