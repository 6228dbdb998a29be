"""`apply` and `deploy`: bring the cluster to what the project says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.execution import Run, carry_out, carry_out_all, no_prune, run_hooks, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session
from sbkube.models.plan import Verb
from sbkube.models.selection import selects

if TYPE_CHECKING:
    from sbkube.api.family import Member

plan_file = click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Execute a saved plan, if everything still is as it was then.",
)


def _run(session: Session, target: str | None, name: str, plan_file: str | None, **how: Any) -> int:
    from sbkube.api.family import apply_plans
    from sbkube.errors import UsageError

    lock_wait, prune = how["wait_for_lock"], not how["no_prune"]
    if plan_file and (session.options.apps or not prune):
        raise UsageError("a saved plan is executed as it is", hint="leave --app and --no-prune away")
    with session.project(target) as project:

        def go() -> int:
            if plan_file:
                saved = project.approved(plan_file)
                command = name if saved.command == "apply" else saved.command
                return carry_out(session, project, saved.plan, Run(command, approved=saved.digest))

            def ahead(member: Member) -> int:
                return run_hooks(session, member.project, member.apps, name) if name == "apply" else 0

            hooks = ("apply", "deploy") if name == "apply" else ("deploy",)
            look = session.options.dry_run or name != "apply"
            family = session.members(project)
            plans, code = apply_plans(family, ahead, prune=prune, hooks=hooks, look=look)
            return code or carry_out_all(session, plans, Run(name))

        return patiently(session, project, lock_wait, go)


@click.command("apply", cls=Command)
@click.argument("target", required=False)
@plan_file
@no_prune
@wait_for_lock
def apply(session: Session, target: str | None, **how: Any) -> int:
    """Bring the cluster to what the project in TARGET (default: the current folder) says.

    Asks only when something would be deleted or recreated.
    """
    return _run(session, target, "apply", **how)


@click.command("upgrade", cls=Command)
@click.argument("target", required=False)
@click.option("--no-install", is_flag=True, help="Refuse releases that do not exist yet.")
@wait_for_lock
def upgrade(session: Session, target: str | None, no_install: bool, wait_for_lock: str | None) -> int:
    """Deploy the Helm apps of the project, and nothing else. Nothing is pruned."""
    from sbkube.errors import PlanRefused, Problem, UsageError

    with session.project(target) as project:
        charts = [(m, found) for m in session.members(project) if (found := _charts(m))]
        if not charts:
            raise UsageError("there is no Helm app to upgrade", hint="apps of type helm have a chart")

        def go() -> int:
            plans = []
            for member, names in charts:
                plan = member.project.plan(names, prune=False, hooks=("deploy",), look=True)
                new = [op for op in plan.operations if op.verb is Verb.HELM_INSTALL]
                if no_install and new:
                    problems = [Problem(f"{op.app}: there is no release yet", op.source) for op in new]
                    raise PlanRefused(
                        "releases would be installed", problems=problems, hint="leave --no-install away"
                    )
                plans.append((member, plan))
            return carry_out_all(session, plans, Run("upgrade"))

        return patiently(session, project, wait_for_lock, go)


def _charts(member: Member) -> tuple[str, ...]:
    """The Helm apps that were asked for."""
    found = member.project.config.apps.items()
    return tuple(n for n, app in found if app.type == "helm" and app.enabled and selects(member.apps, n))


@click.command("deploy", cls=Command)
@click.argument("target", required=False)
@plan_file
@no_prune
@wait_for_lock
def deploy(session: Session, target: str | None, **how: Any) -> int:
    """The same as apply, without the hooks that come before planning."""
    return _run(session, target, "deploy", **how)
