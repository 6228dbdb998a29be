"""Hooks of a Helm action that was cut off: which had finished, and which are still to be run.

Helm writes a hook's last run into the release record when the hook begins, and its end only together with the
next beginning. What the record leaves open is answered by the hook's own object, by the objects of the release
(Helm touches them only after all earlier hooks have succeeded), and by the Events of a hook that is gone already.
Source of the order: Helm's `action.execHook` (weight, then name).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ConfigError
from sbkube.health.finished import Ending, ending
from sbkube.models.plan import Verb
from sbkube.models.release import HookRun, ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.ports import Json
from sbkube.sources.yaml_reader import read_documents

EVENTS: Mapping[Verb, tuple[str, str]] = {
    Verb.HELM_INSTALL: ("pre-install", "post-install"),
    Verb.HELM_UPGRADE: ("pre-upgrade", "post-upgrade"),
    Verb.HELM_ROLLBACK: ("pre-rollback", "post-rollback"),
    Verb.HELM_UNINSTALL: ("pre-delete", "post-delete"),
}
_SLACK = timedelta(seconds=1)  # creation and Event times have whole seconds


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook to run: `running` is the uid of its object when it is at work already."""

    name: str
    key: ResourceKey
    body: Mapping[str, Any]
    deletes: tuple[str, ...] = ()
    running: str = ""


@dataclass(frozen=True, slots=True)
class HooksLeft:
    """What a cut off action had run, and what is left before and after Helm's own work."""

    finished: tuple[str, ...]
    before: tuple[Hook, ...]
    after: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known beside the release record: Helm had begun to change objects (`worked`), and the objects of
    hooks that we have run ourselves since (`done`)."""

    worked: bool = False
    done: frozenset[tuple[str, str, str, str]] = frozenset()


def hooks_left(record: ReleaseRecord, verb: Verb, world: Surroundings, evidence: Evidence) -> HooksLeft | None:
    """The hooks of the action that made `record`, or None when none of them had begun."""
    first, last = EVENTS[verb]
    before, after = (_of_event(record, event) for event in (first, last))
    begun = _moment(record.begun)
    late = any(_started(run, begun) for run in after)
    if not (evidence.worked or evidence.done or late or any(_started(run, begun) for run in before)):
        return None
    judge = _Judge(record, world, evidence.done)
    judged = [judge.all(before, evidence.worked or late), judge.all(after, False)]
    finished = tuple(name for names, _ in judged for name in names)
    return HooksLeft(finished, judged[0][1], judged[1][1])


def _of_event(record: ReleaseRecord, event: str) -> list[HookRun]:
    return sorted((h for h in record.hook_runs if event in h.events), key=lambda h: (h.weight, h.name))


def _started(run: HookRun, begun: datetime | None) -> bool:
    """It was run by this action: the record of a rollback carries the runs of the revision it goes back to."""
    when = _moment(run.started)
    return when is not None and (begun is None or when >= begun - _SLACK)


class _Judge:
    """Tells finished hooks from those that are left."""

    def __init__(
        self, record: ReleaseRecord, world: Surroundings, done: frozenset[tuple[str, str, str, str]]
    ) -> None:
        self._record = record
        self._world = world
        self._done = done
        self._begun = _moment(record.begun)

    def all(self, runs: Sequence[HookRun], all_done: bool) -> tuple[list[str], tuple[Hook, ...]]:
        """Names of the hooks that have finished, and the hooks that are left, in order."""
        started = [_started(run, self._begun) for run in runs]
        finished: list[str] = []
        left: list[Hook] = []
        for at, run in enumerate(runs):
            hook = _hook(run, self._record)
            live = self._world.cluster.get(hook.key)
            known = all_done or any(started[at + 1 :]) or hook.key.identity in self._done
            if known or (started[at] and self._succeeded(run, hook, live)):
                finished.append(run.name)
            else:
                left.append(replace(hook, running=at_work(live, _moment(run.started) or self._begun)))
        return finished, tuple(left)

    def _succeeded(self, run: HookRun, hook: Hook, live: Json | None) -> bool:
        return run.phase == "Succeeded" or hook_ended(hook.key, live, _moment(run.started), self._world)


def hook_ended(key: ResourceKey, live: Json | None, since: datetime | None, world: Surroundings) -> bool:
    """The hook that began at `since` has succeeded: its object says so, or, where that is gone, its Events."""
    if live is not None:
        return _made_since(live, since) and ending(live) is Ending.SUCCEEDED
    kind = world.cluster.resource_type("v1", "Event")
    if kind is None or not key.namespace or key.kind not in {"Job", "Pod"}:
        return False
    found = world.cluster.list(kind, key.namespace, fields=f"involvedObject.name={key.name}")
    return any(
        event.get("reason") == "Completed" and _at(event) >= (since or _EPOCH) - _SLACK
        for event in found
        if (event.get("involvedObject") or {}).get("kind") == key.kind
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _at(event: Json) -> datetime:
    stamps = (event.get("lastTimestamp"), event.get("eventTime"), event["metadata"].get("creationTimestamp"))
    return next((moment for stamp in stamps if (moment := _moment(str(stamp or "")))), _EPOCH)


def _made_since(live: Json, since: datetime | None) -> bool:
    made = _moment(str(live["metadata"].get("creationTimestamp", "")))
    return since is None or made is None or made >= since - _SLACK


def at_work(live: Json | None, since: datetime | None) -> str:
    """The uid of a hook's object that was made since then and has not ended, or an empty text."""
    if live is None or not _made_since(live, since) or ending(live) is not Ending.RUNNING:
        return ""
    return str(live["metadata"].get("uid", ""))


def _hook(run: HookRun, record: ReleaseRecord) -> Hook:
    """The object as Helm would send it: in the release's namespace unless it names another."""
    documents = read_documents(run.manifest, f"hook {run.name}", duplicates=[])
    body = next((d.value for d in documents if isinstance(d.value, dict)), None)
    if body is None:
        raise ConfigError(f"the hook {run.name} of release {record.namespace}/{record.name} is no object")
    key = ResourceKey.of(body)
    if not key.namespace:
        key = replace(key, namespace=record.namespace)
        body = {**body, "metadata": {**body["metadata"], "namespace": record.namespace}}
    return Hook(run.name, key, body, run.deletes or ("before-hook-creation",))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
