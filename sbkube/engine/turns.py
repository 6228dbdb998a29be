"""In which order apps come after each other where nothing depends on anything: what the settings say of it."""

from __future__ import annotations

from collections.abc import Iterable

from sbkube.config.model import ProjectConfig, Settings
from sbkube.plan import order


def in_turn(config: ProjectConfig, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The apps that each of `names` (in an order that can be executed) comes after without depending on them."""
    lanes = {phase: _lane(scope.settings) for phase, scope in config.scopes.items()}
    return order.turns(list(names), lanes)


def _lane(settings: Settings) -> order.Lane:
    return order.Lane(
        one_at_a_time=not settings.parallel_apps,
        phases_in_turn=not settings.parallel,
        apps_first=settings.execution_order == "apps_first",
    )
