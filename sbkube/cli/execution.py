"""From a plan to its end: show, ask, execute, sum up. Apply, rollback and delete are this with other plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.commandline import redacted
from sbkube.cli.session import Session
from sbkube.cli.signals import stopping
from sbkube.models.plan import Effect, Plan, Verb

if TYPE_CHECKING:
    from sbkube.api import Project
    from sbkube.api.family import Member

RESUME = "resume"
_TAKES_AWAY = frozenset({Verb.DELETE, Verb.RECREATE, Verb.HELM_UNINSTALL})

wait_for_lock = click.option(
    "--wait-for-lock", type=str, metavar="5m", help="Wait so long while somebody else is deploying."
)
no_prune = click.option("--no-prune", is_flag=True, help="Delete nothing that no app wants any more.")

out_file = click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Save the plan for `apply --plan`; change nothing.",
)


@dataclass(frozen=True, slots=True)
class Run:
    """How to run a plan: under which name it is recorded, whether to ask whenever it changes anything (else only
    when it takes something away). `out` is a file that the plan is saved to instead of being executed; `approved`
    is the digest of the file that it comes from; `scope` is what a rollback is restricted to."""

    command: str
    always_ask: bool = False
    out: str | None = None
    approved: str = ""
    scope: str = ""


def takes_away(plan: Plan) -> bool:
    """Something would be deleted, pruned or recreated."""
    gone = {Effect.DELETE, Effect.RECREATE}
    return any(op.verb in _TAKES_AWAY for op in plan.operations) or any(
        change.effect in gone for app in plan.apps for change in app.changes
    )


def carry_out(session: Session, project: Project, plan: Plan, run: Run) -> int:
    """Show the plan; stop there with `--dry-run`; ask where consent is due; execute; report. Gives the exit
    code."""
    session.stop_progress()
    masked = project.masked(plan)
    if session.options.dry_run or run.out:
        return _only_look(session, project, plan, masked, run)
    asks = not (session.options.yes or run.approved)
    must_ask = plan.writes and (run.always_ask or takes_away(plan)) and asks
    if session.human or must_ask:
        show_plan(session, masked, bodies=False, resumed=run.command == RESUME)
    if must_ask:
        session.confirm(f"{run.command} on {plan.cluster}?")
    session.expect(masked)
    with stopping(project.cancel, session.tell, session.quit_now):
        own = {"plan": run.approved, "scope": run.scope}
        args = arguments(session) | {name: value for name, value in own.items() if value}
        result = project.execute(plan, command=run.command, args=args)
    session.stop_progress()
    _finish(session, masked, result, run)
    return int(result.exit_code)


def run_hooks(
    session: Session, project: Project, apps: Sequence[str], command: str, stages: Sequence[str] = ()
) -> int:
    """Run the hooks that come before planning, as a deployment of their own; gives an exit code other than 0 where
    one failed. A dry run leaves them out."""
    if session.options.dry_run:
        return 0
    plan = project.plan_hooks(apps, stages)
    if plan is None:
        return 0
    masked = project.masked(plan)
    session.expect(masked)
    with stopping(project.cancel, session.tell, session.quit_now):
        result = project.execute(plan, command=command, args=arguments(session))
    if result.exit_code:
        session.stop_progress()
        _finish(session, masked, result, Run(command))
    return int(result.exit_code)


def _only_look(session: Session, project: Project, plan: Plan, masked: Plan, run: Run) -> int:
    """`--dry-run` and `--out`: show, perhaps save, and stop."""
    saved = {"saved": run.out, "digest": project.save(plan, run.out)} if run.out else {}
    if not session.human:
        session.emit(run.command, lambda: {"dry_run": True, "plan": _document(masked), **saved}, str)
        return 0
    show_plan(session, masked, bodies=True, resumed=run.command == RESUME)
    say_saved(session, run.out)
    if session.options.dry_run:
        session.say(session.ink.dim("dry run: nothing was changed"))
    return 0


def say_saved(session: Session, out: str | None) -> None:
    """Where the plan is, and what to do with it."""
    if out:
        session.say(session.ink.dim(f"saved to {out}; nothing was changed. Execute it: sbkube apply --plan {out}"))


def show_plan(session: Session, masked: Plan, *, bodies: bool, resumed: bool = False) -> None:
    """The plan for people; on standard error where a machine reads standard output. `resumed`: what is left of an
    earlier one."""
    from sbkube.report import plan as report

    ink = session.ink if session.human else session.terminal.error_ink
    verbose = session.options.verbose
    view = report.PlanView(ink, bodies=bodies or verbose, unchanged=verbose, resumed=resumed)
    text = report.render(masked, view)
    if session.options.quiet and not session.terminal.stdin.isatty():
        return
    if session.human:
        session.terminal.out(text + "\n" * (1 if bodies else 2))  # an empty line before what follows
    else:
        session.terminal.err(text + "\n")


def arguments(session: Session) -> dict[str, Any]:
    """What is recorded of the command line: nothing that could hold a secret."""
    o = session.options
    given = {
        "line": redacted(session.words) if session.words else None,
        "apps": list(o.apps),
        "namespace": o.namespace,
        "environment": o.environment,
        "context": o.context,
        "sandbox": o.sandbox,
        "no_cluster_lock": o.no_cluster_lock,
        "same_project": o.same_project,
        "locked": o.locked,
        "offline": o.offline,
        "force_conflicts": o.force_conflicts,
    }
    return {name: value for name, value in given.items() if value}


def _document(masked: Plan) -> dict[str, Any]:
    from sbkube.report import machine

    return machine.plan(masked)


def carry_out_all(session: Session, plans: Sequence[tuple[Member, Plan]], run: Run) -> int:
    """The same for a family: all plans are shown, one consent is asked for, and they are executed one after the
    other until one fails. The first exit code other than 0 counts."""
    if len(plans) == 1:
        return carry_out(session, plans[0][0].project, plans[0][1], run)
    from sbkube.errors import UsageError

    session.stop_progress()
    if run.out:
        raise UsageError("a plan of several projects cannot be saved", hint="plan each of them by itself")
    shown = [(member, plan, member.project.masked(plan)) for member, plan in plans]
    asks = not session.options.yes and not session.options.dry_run
    must_ask = asks and any(p.writes and (run.always_ask or takes_away(p)) for _, p, _ in shown)
    if session.human or must_ask:
        for _, _, masked in shown:
            show_plan(session, masked, bodies=session.options.dry_run, resumed=run.command == RESUME)
    if session.options.dry_run:
        documents = [_document(masked) for _, _, masked in shown]
        session.emit(
            run.command,
            lambda: {"dry_run": True, "projects": documents},
            lambda: session.ink.dim("dry run: nothing was changed"),
        )
        return 0
    if must_ask:
        session.confirm(f"{run.command} {len(shown)} projects on {shown[0][1].cluster}?")
    return _one_by_one(session, shown, run)


def _one_by_one(session: Session, shown: Sequence[tuple[Member, Plan, Plan]], run: Run) -> int:
    """Execute the plans of a family, and tell of each when it has ended; what comes behind a failure is not
    begun."""
    from sbkube.api.together import carry_out_together

    code, contents = 0, []
    masked = {id(plan): shown_plan for _, plan, shown_plan in shown}
    cancel, coming = shown[0][0].project.cancel, iter(shown)
    args = arguments(session) | ({"scope": run.scope} if run.scope else {})
    session.expect(next(coming)[2])
    with stopping(cancel, session.tell, session.quit_now):
        plans = [(member, plan) for member, plan, _ in shown]
        for done in carry_out_together(plans, command=run.command, args=args):
            session.stop_progress()
            if following := next(coming, None):
                session.expect(following[2])
            code = code or int(done.result.exit_code)
            contents.append(_content(masked[id(done.plan)], done.result))
            if session.human:
                _tell(session, done.result)
            if not done.result.begun:
                why = done.result.record.deployment.error_message or "not begun"
                session.terminal.err(f"{done.member.project.config.name}: {why}")
    if not session.human:
        session.emit(run.command, lambda: {"exit_code": code, "projects": contents}, str)
    return code


def _finish(session: Session, masked: Plan, result: Any, run: Run) -> None:
    if session.human:
        _tell(session, result)
        return
    session.emit(run.command, lambda: _content(masked, result), str)


def _tell(session: Session, result: Any) -> None:
    if session.options.quiet:
        return
    from sbkube.report import run as report

    terminal = session.terminal
    terminal.out(report.render(result.record, ink=session.ink, width=terminal.width, rows=terminal.rows))
    if result.rollback:
        session.terminal.out(report.undone(result.rollback.record, result.rollback.reason, ink=session.ink))


def _content(masked: Plan, result: Any) -> dict[str, Any]:
    from sbkube.report import machine

    return {
        "exit_code": result.exit_code,
        "summary": masked.counts(),
        "deployment": machine.detail(result.record),
        "warnings": list(masked.warnings),
        "rollback": machine.rollback(result.rollback.record, result.rollback.reason) if result.rollback else None,
    }
