"""Taking secret values out of other people's words: webhooks, events and log lines quote what they see.

What is secret is known from what is sent: the values of Secrets, as text and as base64, what `sensitive` names,
and Helm values with a telling name. Values of less than four characters are left in: they would hide half of a
text, and could be guessed from what is left.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.health import Culprit
from sbkube.models.outcome import Event, Outcome
from sbkube.models.plan import Operation, Plan, Verb
from sbkube.plan.redact import LAST_APPLIED, is_secret, matches

HIDDEN = "(masked)"
SHORTEST = 4
SHORTEST_LINE = 8  # of one line of several
_TELLING = re.compile(r"pass|secret|token|credential|private|apikey|api_key|auth", re.IGNORECASE)


def secret_values(body: Mapping[str, Any] | None) -> Iterator[str]:
    """All values of a Secret, decoded and not; those of its last-applied annotation too. None of other kinds."""
    if body is None or not is_secret(body):
        return
    for name in ("data", "stringData"):
        found = body.get(name)
        for value in found.values() if isinstance(found, Mapping) else ():
            if isinstance(value, str):
                yield from _both(value, encoded=name == "data")
    applied = ((body.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if applied:
        try:
            yield from secret_values(json.loads(applied))
        except ValueError:
            yield str(applied)


def _both(value: str, *, encoded: bool) -> Iterator[str]:
    yield value
    if not encoded:
        yield base64.b64encode(value.encode()).decode()
        return
    try:
        yield base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return


def named_values(value: Any, globs: Sequence[str], path: str = "") -> Iterator[str]:
    """Texts and numbers of an object at or below a path that one of `globs` names."""
    return _named(value, tuple(globs), path) if len(globs) else iter(())  # mostly nothing is named: do not look


def _named(value: Any, globs: tuple[str, ...], path: str) -> Iterator[str]:
    if path and any(matches(path, glob) for glob in globs):
        yield from _leaves(value)
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _named(below, globs, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _named(below, globs, f"{path}.{index}")


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _leaves(below)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _telling_values(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if _TELLING.search(str(key)):
            yield from _leaves(value)
        elif isinstance(value, Mapping):
            yield from _telling_values(value)


def telling(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values of environment variables whose names say that they are secret."""
    return tuple(_telling_values(environ))


def _said_as(value: str) -> Iterator[str]:
    """A value as it may be repeated: whole, without space around it, and its lines one at a time."""
    yield from (v for v in (value, value.strip()) if len(v) >= SHORTEST)
    lines = value.strip().splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= SHORTEST_LINE)


class Scrubber:
    """Replaces every occurrence of known values by `(masked)`."""

    def __init__(self, values: Iterable[str]) -> None:
        known = {v for value in values for v in _said_as(value)}
        longest_first = sorted(known, key=lambda value: (-len(value), value))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if known else None

    @classmethod
    def of_plan(cls, plan: Plan, globs: Sequence[str] = (), known: Iterable[str] = ()) -> Scrubber:
        """For everything that a plan sends or has seen, and what else is known to be secret."""
        return cls([*known, *_of_plan(plan, globs)])

    @classmethod
    def of_object(
        cls,
        body: Mapping[str, Any],
        globs: Sequence[str] = (),
        values: Mapping[str, Any] | None = None,
        known: Iterable[str] = (),
    ) -> Scrubber:
        """For one object, for the Helm values that it was rendered with, and what else is known to be secret."""
        found = [*known, *secret_values(body), *named_values(body, globs)]
        return cls([*found, *_telling_values(values or {}), *named_values(values or {}, globs)])

    def refusal(self, error: ClusterError | ClusterForbidden) -> None:
        """Clean the words of an error in place."""
        error.message = self.text(error.message)
        error.args = (error.message,)
        if isinstance(error, ClusterError):
            error.causes = tuple((field, self.text(message)) for field, message in error.causes)

    def text(self, text: str) -> str:
        """The text without the values."""
        return self._pattern.sub(HIDDEN, text) if self._pattern and text else text

    def json(self, value: Any) -> Any:
        """A JSON value whose texts are clean."""
        if isinstance(value, Mapping):
            return {key: self.json(below) for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(below) for below in value]
        return self.text(value) if isinstance(value, str) else value

    def plan(self, plan: Plan) -> Plan:
        """A plan as it may be recorded: no spec holds a secret, and commands that do are kept like Secrets."""
        if self._pattern is None:
            return plan
        apps = (
            replace(a, spec=self.json(a.spec), operations=tuple(map(self._command, a.operations)))
            for a in plan.apps
        )
        return replace(plan, apps=tuple(apps))

    def commands(self, plan: Plan) -> Plan:
        """A plan as people may see it: no command quotes a secret."""

        def clean(op: Operation) -> Operation:
            return replace(op, desired=self.json(op.desired)) if op.verb is Verb.RUN else op

        return replace(
            plan, apps=tuple(replace(app, operations=tuple(map(clean, app.operations))) for app in plan.apps)
        )

    def _command(self, op: Operation) -> Operation:
        quotes = op.verb is Verb.RUN and not op.sensitive and self.json(op.desired) != op.desired
        return replace(op, sensitive=True) if quotes else op

    def outcome(self, outcome: Outcome) -> Outcome:
        """An outcome whose words are clean; images are left as they are."""
        if self._pattern is None:
            return outcome
        culprit = self._culprit(outcome.culprit) if outcome.culprit else None
        return replace(
            outcome,
            message=self.text(outcome.message),
            reason=self.text(outcome.reason),
            output=self.text(outcome.output),
            culprit=culprit,
        )

    def event(self, event: Event) -> Event:
        """An event whose words are clean."""
        if self._pattern is None:
            return event
        data = {k: self.text(v) if isinstance(v, str) else v for k, v in event.data.items()}
        return replace(event, message=self.text(event.message), status=self.text(event.status), data=data)

    def _culprit(self, culprit: Culprit) -> Culprit:
        return replace(
            culprit,
            message=self.text(culprit.message),
            events=tuple(map(self.text, culprit.events)),
            log=tuple(map(self.text, culprit.log)),
        )


def _of_plan(plan: Plan, globs: Sequence[str]) -> Iterator[str]:
    for app in plan.apps:
        bodies = [op.desired for op in app.operations]
        changes = [*app.changes, *(change for op in app.operations for change in op.changes)]
        bodies += [image for change in changes for image in (change.before, change.after)]
        for body in {id(body): body for body in bodies}.values():  # most of them stand in several places
            yield from secret_values(body)
            yield from named_values(body, globs)
        for op in app.operations:
            if op.verb is Verb.RUN and op.desired:
                yield from _telling_values(op.desired.get("env") or {})
            if op.release is not None:
                yield from _telling_values(op.release.values)
                yield from named_values(op.release.values, globs)
