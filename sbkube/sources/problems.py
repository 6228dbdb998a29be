"""Problems of files, gathered and raised together, and the word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sbkube.errors import ConfigError, Problem, ProjectError

Raised = TypeVar("Raised", bound=ProjectError)


def refusal(problems: Sequence[Problem], kind: type[Raised], subject: str) -> Raised:
    """One error for all problems: a single one speaks for itself, several are counted and listed."""
    if len(problems) == 1:
        only = problems[0]
        return kind(only.message, problems=problems, place=only.place, hint=only.hint)
    return kind(f"{len(problems)} problems in {subject}", problems=problems)


def refuse_config(problems: Sequence[Problem], subject: str) -> None:
    """Raise ConfigError if there is any problem; `subject` names the file."""
    if problems:
        raise refusal(sorted(problems, key=_position), ConfigError, subject)


def _position(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (place.file, place.line, place.column) if place else ("", 0, 0)


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to what was written, or None if none is near."""
    by_plain = {_plain(name): name for name in known}
    found = difflib.get_close_matches(_plain(word), by_plain, n=1, cutoff=0.6)
    return by_plain[found[0]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def did_you_mean(word: str, known: Iterable[str], *, noun: str) -> str:
    """A hint: the nearest known word, else all of them."""
    names = list(known)
    near = meant(word, names)
    if near:
        return f'did you mean "{near}"?'
    return f"{noun}: {', '.join(sorted(names))}" if names else f"there are no {noun}"
