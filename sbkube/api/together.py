"""Executing the plans of a family: all locked and recorded before the first begins, then one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sbkube.api.family import Member
from sbkube.api.running import Family, Result, Turn
from sbkube.errors import OperationFailed, ProjectError, SbkubeError, StateError, SurroundingsError
from sbkube.models.plan import Plan

if TYPE_CHECKING:
    from sbkube.api.project import Project

REQUEST = "request"  # in the arguments of a deployment: how its plan can be made again, when its turn comes


@dataclass(frozen=True, slots=True)
class Done:
    """A member of the family that has had its turn."""

    member: Member
    plan: Plan
    result: Result


def whole(done: Sequence[Done]) -> Result:
    """The result of a run of several projects: that of the one that was opened, else of the first, with all."""
    parts = tuple(one.result for one in done)
    main = next((one.result for one in done if one.member.main), parts[0])
    code = next((part.exit_code for part in parts if part.exit_code), 0)
    return replace(main, exit_code=code, parts=parts)


@dataclass(frozen=True, slots=True)
class _Part:
    member: Member
    plan: Plan
    turn: Turn


def carry_out_together(
    plans: Sequence[tuple[Member, Plan]],
    *,
    command: str,
    args: Mapping[str, Any],
) -> Iterator[Done]:
    """Execute the plans until one fails; what comes behind it is recorded as not begun.

    Before the first is begun, all locks are taken and all plans recorded: whatever kills the run then, `resume`
    goes on with the rest. Raises what `Project.execute` raises; StateLocked with nothing touched.
    """
    from sbkube.engine.heartbeats import Heartbeats

    stop = plans[0][0].project.cancel  # they all have the same
    waiting = _reserved(plans, command, args)
    with ExitStack() as at_last:
        at_last.callback(_leave, waiting)
        beats = at_last.enter_context(Heartbeats([part.turn.lock for part in waiting]))
        part = waiting.pop(0)
        beats.take(part.turn.lock)
        done = Done(part.member, part.plan, part.member.project.carry_out(part.turn, part.plan))
        failed = ""
        while True:
            yield done
            if done.result.exit_code and not failed and not stop.is_set():
                failed = done.member.project.config.name
            if not waiting:
                return
            part = waiting.pop(0)
            beats.take(part.turn.lock)
            with _behind_others(part):
                if failed or stop.is_set():
                    done = _call_off(part, f"not begun, because {failed} failed" if failed else "")
                else:
                    done = _on_top(part)


@contextmanager
def _behind_others(part: _Part) -> Iterator[None]:
    """Others have been executed by now: no exit code may say that nothing was touched."""
    try:
        yield
    except (ProjectError, SurroundingsError, StateError) as error:
        text = f"{part.member.project.config.name}: {error.message}"
        hint = "the projects before it have been deployed; see `sbkube history`, then `sbkube resume`"
        raise OperationFailed(text, hint=hint) from error


def _on_top(part: _Part) -> Done:
    """Execute a plan that is made again on top of what the others have done; if it does not fit, call it off."""
    project = part.member.project
    try:
        plan = on_top(project, part.plan)
    except (ProjectError, SurroundingsError) as error:
        problems = error.problems if isinstance(error, ProjectError) else ()
        return _call_off(part, f"not begun: {'; '.join(map(str, problems)) or error}")
    return Done(part.member, part.plan, project.carry_out(part.turn, plan))


def _call_off(part: _Part, reason: str) -> Done:
    result = part.member.project.call_off(part.turn, part.plan, reason)
    return Done(part.member, part.plan, result)


def _reserved(plans: Sequence[tuple[Member, Plan]], command: str, args: Mapping[str, Any]) -> list[_Part]:
    main = next((member.project for member, _ in plans if member.main), plans[0][0].project)
    own = main.new_id()
    parts: list[_Part] = []
    try:
        for member, plan in plans:
            project = member.project
            family = Family(own) if project is main else Family(parent=own)
            words = {**args, REQUEST: project.request}
            turn = project.reserve(plan, command=command, args=words, family=family)
            parts.append(_Part(member, plan, turn))
            project.take_lease(plan, turn.lock, early=True)
        _announce(parts)
    except BaseException:
        for part in parts:
            part.turn.lock.release()
        raise
    return parts


def _announce(parts: Sequence[_Part]) -> None:
    """Record all plans, in one go where they have one state database: the run is killed with all of it recorded,
    or nothing."""
    by_place: dict[str, list[_Part]] = {}
    for part in parts:
        by_place.setdefault(str(part.member.project.ledger.database.location), []).append(part)
    for some in by_place.values():
        ledger = some[0].member.project.ledger
        records = ledger.announce(
            [(p.turn.data, p.member.project.recordable(p.plan), p.turn.lock.info) for p in some]
        )
        for part, record in zip(some, records, strict=True):
            part.member.project.waits(record)


def _leave(parts: Sequence[_Part]) -> None:
    """What never had its turn, because an error ended the run: interrupted, as when the process is killed."""
    for part in parts:
        with suppress(SbkubeError):  # the error itself is on its way; the next command settles what is left
            part.member.project.call_off(part.turn, part.plan, "")


def on_top(project: Project, approved: Plan) -> Plan:
    """The plan of a project made again on top of what others of its family have done since; raises PlanOvertaken
    where it would now change what nobody has agreed to."""
    if not project.request:
        return approved
    fresh = project.plan_again(project.request)
    project.refuse_more(approved, fresh)
    return fresh
