"""Projects of their own among the phases of another: whether they come before its apps, or behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sbkube.config.graph import Node
from sbkube.config.model import Child, ProjectConfig
from sbkube.errors import Problem
from sbkube.sources.yaml_reader import Document


def place(children: dict[str, Child], phase: str, nodes: Mapping[str, Node], document: Document) -> list[Problem]:
    """Put the children among the phases `nodes` of `phase` in order, and say which come first.

    Those on which something of this project depends come first, the others behind. Both at once cannot be, since
    the apps of this project are deployed in one go: that is a problem.
    """

    def full(name: str) -> str:
        return f"{phase}/{name}" if phase else name

    own = [name for name in nodes if full(name) in children]

    def reached(name: str) -> set[str]:
        """Phases that one depends on, also by way of projects of their own."""
        found: set[str] = set()
        for other in nodes[name].depends_on:
            found |= {other} | (reached(other) if other in own else set())
        return found

    problems = []
    wanted = {other for name in nodes if name not in own for other in reached(name)}
    for name in sorted(own, key=lambda name: len(reached(name) & set(own))):
        before = reached(name) - set(own)
        if name in wanted and before:
            message = f"phase {name} is a project of its own between phases of this one"
            hint = f"it depends on {', '.join(sorted(before))}: give that a metadata.name too"
            problems.append(Problem(message, document.place("phases", name, key=True), hint))
        children[full(name)] = replace(children.pop(full(name)), first=name in wanted)
    return problems


def before(name: str, among: Iterable[ProjectConfig]) -> tuple[str, ...]:
    """Names of the projects that come before one of its family, because of what their phases depend on."""
    found = []
    for outer in among:
        projects = {child.phase: child.config.name for child in outer.children if not child.context}
        waits = {phase: scope.depends_on for phase, scope in outer.scopes.items()}
        waits |= {child.phase: child.depends_on for child in outer.children}
        for phase, others in waits.items():
            around = phase.rpartition("/")[0]
            wanted = (projects.get(f"{around}/{other}" if around else other, outer.name) for other in others)
            found += [other for other in wanted if projects.get(phase, outer.name) == name != other]
    return tuple(dict.fromkeys(found))


def namesakes(own: tuple[str, str], children: Iterable[Child]) -> list[Problem]:
    """Projects of one family with the same name in the same namespace, whose records could not be told apart.

    `own` is the name and the namespace of the project that they belong to.
    """
    known = {own}
    problems = []
    for config in _all(children):
        identity = (config.name, config.settings.namespace)
        if identity in known:
            message = f"another project here is called {config.name} too, in namespace {config.settings.namespace}"
            place = config.document.place("metadata", "name") if config.document else None
            problems.append(Problem(message, place, "give it a name or a namespace of its own"))
        known.add(identity)
    return problems


def _all(children: Iterable[Child]) -> Iterator[ProjectConfig]:
    for child in children:
        yield child.config
        yield from _all(child.config.children)
