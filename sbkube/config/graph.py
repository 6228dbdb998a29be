"""Apps as a graph: names that do not exist, cycles, and releases that would overwrite each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sbkube.apps.base import AppSpec
from sbkube.errors import Place, Problem
from sbkube.sources.problems import did_you_mean


@dataclass(frozen=True, slots=True)
class Node:
    """One app as far as dependencies go; known for apps with other problems too."""

    depends_on: tuple[str, ...]
    enabled: bool
    where: Callable[[int], Place]


def check_graph(
    nodes: Mapping[str, Node], problems: list[Problem], warnings: list[str], *, noun: str = "app"
) -> None:
    """Add what is wrong with `depends_on` to `problems`; depending on a disabled one is only a warning."""
    for name, node in nodes.items():
        for index, other in enumerate(node.depends_on):
            if other not in nodes:
                hint = did_you_mean(other, [n for n in nodes if n != name], noun=f"other {noun}s")
                message = f'{noun}s.{name} depends on "{other}", which does not exist'
                problems.append(Problem(message, node.where(index), hint))
            elif node.enabled and not nodes[other].enabled:
                place = node.where(index)
                warnings.append(
                    f'{place}: {noun}s.{name} depends on "{other}", which is disabled: it is not waited for'
                )
    for cycle in cycles({name: tuple(n for n in node.depends_on if n in nodes) for name, node in nodes.items()}):
        first = nodes[cycle[0]]
        message = f"{noun}s depend on each other in a circle: {' → '.join(cycle)}"
        place = first.where(first.depends_on.index(cycle[1]))
        problems.append(Problem(message, place, "remove one of these dependencies"))


def cycles(graph: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Cycles of the graph as the names along them, the first repeated at the end.

    At least one for every group of apps that depend on each other; without recursion, so long chains are fine.
    """
    done: set[str] = set()
    for start in graph:
        stack = [] if start in done else [(start, iter(graph[start]))]
        path = {name: None for name, _ in stack}  # ordered
        while stack:
            name, following = stack[-1]
            after = next(following, None)
            if after is None:
                stack.pop()
                del path[name]
                done.add(name)
            elif after in path:
                names = list(path)
                yield [*names[names.index(after) :], after]
            elif after not in done:
                path[after] = None
                stack.append((after, iter(graph.get(after, ()))))


def collisions(apps: Mapping[str, AppSpec]) -> Iterator[Problem]:
    """Enabled apps that deploy a release of the same name to the same namespace."""
    taken: dict[tuple[str, str], str] = {}
    for name, app in apps.items():
        release: str | None = getattr(app, "release", None)
        if release is None or not app.enabled:
            continue
        first = taken.setdefault((app.namespace or "", release), name)
        if first != name:
            message = f'apps.{name} and apps.{first} both deploy the release "{release}" to {app.namespace}'
            yield Problem(message, app.where("release_name") or app.place, "give one of them a release_name")
