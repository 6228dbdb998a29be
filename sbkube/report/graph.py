"""The apps of a deployment or plan as a graph of what waits for what, drawn as SVG without any script.

`AppNode` is all that the drawing needs, and `of_detail` and `of_plan` make nodes of records and plans. Columns are
ranks: an app stands one column to the right of the last of what it depends on; within a column the order is kept.
Nothing is coloured here. Shapes carry the classes `node` and `status-WORD`, and the stylesheet of the page
decides; `report.html_style.STYLE` has one for dark and for light.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.models.deployment_state import AppDeploymentRecord, DeploymentDetail
from sbkube.models.plan import HOOKS_AFTER, HOOKS_BEFORE, Effect, Plan
from sbkube.report.layout import between, clip
from sbkube.report.markup import Html, drawing, element, joined

_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE = 176, 48, 56, 16, 8
_LETTERS = 22


@dataclass(frozen=True, slots=True)
class AppNode:
    """One app: `status` becomes a class of the drawing, `note` is its second line, `link` makes it clickable."""

    name: str
    status: str = ""
    note: str = ""
    depends_on: tuple[str, ...] = ()
    link: str = ""


def of_detail(detail: DeploymentDetail, links: Mapping[str, str] | None = None) -> list[AppNode]:
    """The apps of a recorded deployment; `links` leads from an app's name to where more is told of it."""
    configured: Mapping[str, Any] = detail.deployment.config_snapshot.get("apps") or {}
    known = {app.app_name for app in detail.apps}
    found = []
    for app in detail.apps:
        note = " · ".join(filter(None, (app.app_type, between(app.started_at, app.ended_at))))
        waits = _depends_on(app, configured.get(app.app_name), known)
        found.append(AppNode(app.app_name, app.status.value, note, waits, (links or {}).get(app.app_name, "")))
    for hooks in (node.name for node in found if node.name.endswith((HOOKS_BEFORE, HOOKS_AFTER))):
        found = _around(found, hooks)
    return found


def _around(nodes: Sequence[AppNode], hooks: str) -> list[AppNode]:
    """The nodes with what hooks of a project or phase wait for, or what waits for them."""
    before = hooks.endswith(HOOKS_BEFORE)
    phase = hooks.removesuffix(HOOKS_BEFORE if before else HOOKS_AFTER)
    inside = {
        n.name: n
        for n in nodes
        if n.name.startswith(phase) and n.name not in (phase + HOOKS_BEFORE, phase + HOOKS_AFTER)
    }
    needed = {other for node in inside.values() for other in node.depends_on}
    ends = tuple(name for name in inside if name not in needed)

    def linked(node: AppNode) -> AppNode:
        if not before and node.name == hooks:
            return replace(node, depends_on=ends)
        first = before and node.name in inside and not inside.keys() & set(node.depends_on)
        return replace(node, depends_on=(hooks, *node.depends_on)) if first else node

    return [linked(node) for node in nodes]


def of_plan(plan: Plan) -> list[AppNode]:
    """The apps of a plan, with how many objects change; `status` is `pending` or `unchanged`."""
    found = []
    for app in plan.apps:
        changing = sum(change.effect is not Effect.UNCHANGED for change in app.changes)
        status = "pending" if changing or app.operations else "unchanged"
        note = f"{app.type} · {changing} of {len(app.changes)} change"
        found.append(AppNode(app.name, status, note, app.depends_on))
    return found


def _depends_on(app: AppDeploymentRecord, configured: Any, known: Collection[str]) -> tuple[str, ...]:
    """What an app waits for; a name alone is an app of the same phase."""
    given = app.spec.get("depends_on")
    if given is None and isinstance(configured, Mapping):
        given = configured.get("depends_on")
    names = [str(name) for name in given] if isinstance(given, list | tuple) else []
    phase = app.app_name.rpartition("/")[0]
    return tuple(name if name in known or not phase else f"{phase}/{name}" for name in names)


def ranks(nodes: Sequence[AppNode]) -> dict[str, int]:
    """The column of each app; what is not among the nodes is not waited for, and a circle ends where it began."""
    waits = {node.name: [name for name in node.depends_on if name != node.name] for node in nodes}
    found = dict.fromkeys(waits, 0)
    for _ in nodes:  # a longest path has no more steps than there are nodes
        moved = False
        for name, before in waits.items():
            rank = max((found[other] + 1 for other in before if other in found), default=0)
            if found[name] < rank < len(nodes):
                found[name], moved = rank, True
        if not moved:
            break
    return found


def svg(nodes: Sequence[AppNode]) -> Html:
    """The drawing, as wide as it needs to be; nothing for no apps."""
    if not nodes:
        return Html()
    rank = ranks(nodes)
    column: dict[int, int] = defaultdict(int)
    places: dict[str, tuple[int, int]] = {}
    for node in nodes:
        at = rank[node.name]
        places[node.name] = _EDGE + at * (_WIDE + _GAP_X), _EDGE + column[at] * (_HIGH + _GAP_Y)
        column[at] += 1
    width = 2 * _EDGE + (max(rank.values()) + 1) * (_WIDE + _GAP_X) - _GAP_X
    height = 2 * _EDGE + max(column.values()) * (_HIGH + _GAP_Y) - _GAP_Y
    drawn = (_node(node, *places[node.name]) for node in nodes)
    title = f"{len(nodes)} apps and what they wait for"
    return drawing(width, height, title, *_edges(nodes, places), *drawn, class_="graph")


def _edges(nodes: Sequence[AppNode], places: Mapping[str, tuple[int, int]]) -> Iterator[Html]:
    for node in nodes:
        for name in node.depends_on:
            if name in places:
                x, y = places[name][0] + _WIDE, places[name][1] + _HIGH // 2
                to_x, to_y = places[node.name][0], places[node.name][1] + _HIGH // 2
                bend = max(24, (to_x - x) // 2)
                curve = f"M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
                yield element("path", d=curve, class_="edge", fill="none")


def _node(node: AppNode, x: int, y: int) -> Html:
    word = node.status.replace("_", " ")
    drawn = element(
        "g",
        element("title", f"{node.name}: {word or 'unknown'}"),
        element("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6),
        element("text", clip(node.name, _LETTERS), x=x + 10, y=y + 20, class_="name"),
        element("text", clip(joined_note(word, node.note), _LETTERS + 4), x=x + 10, y=y + 37, class_="note"),
        class_=f"node status-{css_word(node.status)}",
    )
    return element("a", drawn, href=node.link) if node.link else drawn


def joined_note(*parts: str) -> str:
    """Parts with a dot between them."""
    return " · ".join(filter(None, parts))


def css_word(status: str) -> str:
    """A status as the end of a class's name: letters, digits, `_` and `-` only."""
    return "".join(letter for letter in status if letter.isascii() and (letter.isalnum() or letter in "_-"))


def legend(words: Sequence[str]) -> Html:
    """What the colours of the statuses mean, in the order given."""
    marks = (element("span", word.replace("_", " "), class_=f"badge status-{css_word(word)}") for word in words)
    return element("p", joined(marks, " "), class_="legend")
