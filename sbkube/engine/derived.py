"""Dependencies that nobody wrote down: who brings the kind or the namespace of an object comes before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sbkube.engine.desired import Desired, DesiredApp
from sbkube.errors import ConfigError
from sbkube.plan import order


def in_order(
    apps: Sequence[DesiredApp], new_namespaces: Collection[str]
) -> tuple[list[DesiredApp], Mapping[str, tuple[str, ...]]]:
    """The apps in the order in which they can be deployed, and on which others each depends without saying so.

    `new_namespaces` are those that manifests of the project create. Raises ConfigError where written and derived
    dependencies make a circle.
    """
    kinds: dict[tuple[str, str], str] = {}
    places: dict[str, str] = {}
    for app in apps:
        for item in _objects(app):
            if item.key.kind == "Namespace" and not item.key.group and item.key.name in new_namespaces:
                places.setdefault(item.key.name, app.spec.name)
            elif item.key.kind == "CustomResourceDefinition":
                kinds.setdefault(_defined(item), app.spec.name)
    derived = {app.spec.name: _needs(app, kinds, places) for app in apps}
    if not any(derived.values()):
        return list(apps), derived
    try:
        names = order.app_order({a.spec.name: (*a.spec.depends_on, *derived[a.spec.name]) for a in apps})
    except ConfigError as error:
        ways = (f"{name} uses what {', '.join(others)} brings" for name, others in derived.items() if others)
        error.hint = f"{'; '.join(ways)}: remove a depends_on, or move the CRD or namespace to an app of its own"
        raise
    by_name = {app.spec.name: app for app in apps}
    return [by_name[name] for name in names], derived


def _needs(app: DesiredApp, kinds: Mapping[tuple[str, str], str], places: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in _objects(app):
        # A kind that the cluster serves already needs nobody.
        owner = kinds.get((item.key.group, item.key.kind)) if item.simulated else None
        for name in (owner, places.get(item.key.namespace)):
            if name is not None and name != app.spec.name:
                found[name] = None
    if app.release and (owner := places.get(app.release.spec.namespace)) not in (None, app.spec.name):
        found[str(owner)] = None
    return tuple(found)


def _objects(app: DesiredApp) -> Iterator[Desired]:
    yield from app.all_objects


def _defined(item: Desired) -> tuple[str, str]:
    spec = item.body.get("spec") or {}
    return str(spec.get("group")), str((spec.get("names") or {}).get("kind"))
