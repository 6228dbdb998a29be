"""What differs between the states that two deployments left: objects as diffs, releases in a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sbkube.models.comparison import ReleaseThen, Then
from sbkube.models.resource import ResourceKey
from sbkube.report.diff import readable, unified
from sbkube.report.ink import Ink
from sbkube.report.masking import masked_pair

Mask = Callable[[Any], Any]
Images = tuple[ResourceKey, Mapping[str, Any] | None, Mapping[str, Any] | None]


def objects(left: Then, right: Then, hidden: Sequence[str] = ()) -> list[Images]:
    """Objects that differ, with both images, secret values masked."""
    keys = sorted({*left.objects, *right.objects}, key=lambda key: (key.kind, key.namespace, key.name))
    found: list[Images] = []
    for key in keys:
        before, after = left.objects.get(key), right.objects.get(key)
        if readable(before) != readable(after):
            found.append((key, *masked_pair(key, before, after, hidden)))
    return found


def releases(left: Then, right: Then) -> list[tuple[str, ReleaseThen | None, ReleaseThen | None]]:
    """Releases that differ in chart, version or revision."""
    names = sorted({*left.releases, *right.releases})
    pairs = ((name, left.releases.get(name), right.releases.get(name)) for name in names)
    return [(name, a, b) for name, a, b in pairs if _line(a) != _line(b)]


def values(left: Then, right: Then, mask: Mask) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Helm values of releases that differ, through `mask`."""
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for name in sorted({*left.releases, *right.releases}):
        sides = [side.releases[name].values if name in side.releases else None for side in (left, right)]
        if sides[0] != sides[1]:
            before, after = (dict(_leaves(side or {}, mask)) for side in sides)
            found.append((name, before, after))
    return found


def _leaves(value: Mapping[str, Any], mask: Mask) -> Iterator[tuple[str, Any]]:
    for key, below in value.items():
        yield key, _masked(below, mask)


def _masked(value: Any, mask: Mask) -> Any:
    if isinstance(value, Mapping):
        return dict(_leaves(value, mask))
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return mask(value)


def render(left: Then, right: Then, hidden: Sequence[str], ink: Ink) -> str:
    """The whole difference for people."""
    lines = [ink.bold(f"{left.deployment_id} → {right.deployment_id}")]
    for name, a, b in releases(left, right):
        lines.append(ink.paint(f"* release {name}: {_line(a)} → {_line(b)}", "blue"))
    for key, before, after in objects(left, right, hidden):
        mark, style = ("+", "green") if before is None else ("-", "red") if after is None else ("~", "yellow")
        lines.append(ink.paint(f"{mark} {key}", style))
        lines += [f"    {line}" for line in unified(before, after, ink)]
    if unreadable := sorted(map(str, left.hidden | right.hidden)):
        lines.append(ink.yellow(f"! encrypted with a key that is not here: {', '.join(unreadable)}"))
    return "\n".join(lines) if len(lines) > 1 else f"{lines[0]}\nNothing differs."


def render_values(left: Then, right: Then, mask: Mask, ink: Ink) -> str:
    """The difference of Helm values for people."""
    lines = [ink.bold(f"{left.deployment_id} → {right.deployment_id}")]
    for name, before, after in values(left, right, mask):
        lines.append(ink.paint(f"~ values of release {name}", "yellow"))
        lines += [f"    {line}" for line in unified(before, after, ink)]
    return "\n".join(lines) if len(lines) > 1 else f"{lines[0]}\nNo Helm values differ."


def _line(release: ReleaseThen | None) -> str:
    if release is None:
        return "none"
    return f"{release.chart} {release.version} revision {release.revision}"


def document(left: Then, right: Then, hidden: Sequence[str]) -> dict[str, Any]:
    """The whole difference for programs."""
    return {
        "from": left.deployment_id,
        "to": right.deployment_id,
        "releases": [
            {"release": name, "before": _release(a), "after": _release(b)} for name, a, b in releases(left, right)
        ],
        "objects": [
            {**key.to_json(), "before": readable(before) or None, "after": readable(after) or None}
            for key, before, after in objects(left, right, hidden)
        ],
    }


def _release(release: ReleaseThen | None) -> dict[str, Any] | None:
    if release is None:
        return None
    return {"chart": release.chart, "version": release.version, "revision": release.revision}


def values_document(left: Then, right: Then, mask: Mask) -> dict[str, Any]:
    """The difference of Helm values for programs."""
    found = [{"release": n, "before": a, "after": b} for n, a, b in values(left, right, mask)]
    return {"from": left.deployment_id, "to": right.deployment_id, "values": found}
