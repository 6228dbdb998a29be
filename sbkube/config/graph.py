"""Apps as a graph: names that do not exist, cycles, and releases that would overwrite each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sbkube.apps.base import AppSpec
from sbkube.errors import Problem
from sbkube.sources.problems import did_you_mean


def check_graph(
    apps: Mapping[str, AppSpec], declared: Collection[str], problems: list[Problem], warnings: list[str]
) -> None:
    """Add what is wrong with `depends_on` to `problems`; depending on a disabled app is only a warning.

    `declared` are the names of all apps of the file, those with problems of their own included.
    """
    known: dict[str, tuple[str, ...]] = {}
    for name, app in apps.items():
        known[name] = tuple(n for n in app.depends_on if n in apps)
        for index, other in enumerate(app.depends_on):
            if other not in declared:
                hint = did_you_mean(other, [n for n in declared if n != name], noun="apps")
                message = f'apps.{name} depends on "{other}", which does not exist'
                problems.append(Problem(message, app.where("depends_on", index), hint))
            elif app.enabled and other in apps and not apps[other].enabled:
                warnings.append(f'apps.{name} depends on "{other}", which is disabled and will not be deployed')
    for cycle in cycles(known):
        place = apps[cycle[0]].where("depends_on", apps[cycle[0]].depends_on.index(cycle[1]))
        message = f"apps depend on each other in a circle: {' → '.join(cycle)}"
        problems.append(Problem(message, place, "remove one of these dependencies"))
    problems.extend(_collisions(apps))


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


def _collisions(apps: Mapping[str, AppSpec]) -> Iterator[Problem]:
    taken: dict[tuple[str, str], str] = {}
    for name, app in apps.items():
        release: str | None = getattr(app, "release", None)
        if release is None or not app.enabled:
            continue
        first = taken.setdefault((app.namespace or "", release), name)
        if first != name:
            message = f'apps.{name} and apps.{first} both deploy the release "{release}" to {app.namespace}'
            yield Problem(message, app.where("release_name") or app.place, "give one of them a release_name")
