"""`sbkube`: the table of commands, and the frame around each run."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sbkube._version import __version__
from sbkube.cli.options import FORMAT_VARIABLE, Entry, LazyGroup, Options

_DEPLOY, _LOOK, _UNDO, _SETUP = "Deploy", "Look", "Undo", "Set up"
_HERE = "sbkube.cli.commands"

ENTRIES: Mapping[str, Entry] = {
    "apply": Entry(f"{_HERE}.apply:apply", _DEPLOY, "Bring the cluster to what the project says."),
    "deploy": Entry(f"{_HERE}.apply:deploy", _DEPLOY, "Apply without the hooks before planning."),
    "diff": Entry(f"{_HERE}.plan:diff", _DEPLOY, "Show what apply would change."),
    "plan": Entry(f"{_HERE}.plan:plan", _DEPLOY, "The same as diff."),
    "adopt": Entry(f"{_HERE}.adopt:adopt", _DEPLOY, "Take over objects and releases that exist already."),
    "prepare": Entry(f"{_HERE}.prepare:prepare", _DEPLOY, "Fetch what apps need from elsewhere."),
    "build": Entry(f"{_HERE}.prepare:build", _DEPLOY, "Make the charts that will be rendered."),
    "upgrade": Entry(f"{_HERE}.apply:upgrade", _DEPLOY, "Deploy the Helm apps only."),
    "template": Entry(f"{_HERE}.template:template", _DEPLOY, "Print the manifests as they would be sent."),
    "validate": Entry(f"{_HERE}.validate:validate", _DEPLOY, "Check the project file."),
    "status": Entry(f"{_HERE}.status:status", _LOOK, "Show how everything deployed is now."),
    "drift": Entry(f"{_HERE}.drift:drift", _LOOK, "Show what others changed since the last deployment."),
    "history": Entry(f"{_HERE}.history:history", _LOOK, "List deployments, newest first."),
    "show": Entry(f"{_HERE}.show:show", _LOOK, "Show one deployment with everything it did."),
    "serve": Entry(f"{_HERE}.serve:serve", _LOOK, "Show the history as a web page on this machine."),
    "rollback": Entry(f"{_HERE}.rollback:rollback", _UNDO, "Undo a deployment."),
    "delete": Entry(f"{_HERE}.delete:delete", _UNDO, "Delete what the project deployed."),
    "destroy": Entry(f"{_HERE}.delete:destroy", _UNDO, "The same as delete."),
    "resume": Entry(f"{_HERE}.resume:resume", _UNDO, "Go on with an interrupted run."),
    "recover": Entry(f"{_HERE}.recover:recover", _UNDO, "Settle what an interrupted run left open."),
    "init": Entry(f"{_HERE}.init:init", _SETUP, "Write a small project to start from."),
    "migrate": Entry(
        f"{_HERE}.migrate:migrate", _SETUP, "Make a project file of older config.yaml and sources.yaml."
    ),
    "doctor": Entry(f"{_HERE}.doctor:doctor", _SETUP, "Check everything that a deployment needs."),
    "sandbox": Entry(f"{_HERE}.sandbox:sandbox", _SETUP, "A simulated cluster on this machine."),
    "state": Entry(f"{_HERE}.state:state", _SETUP, "The state database: prove, move, shrink, rebuild it."),
    "check-updates": Entry(f"{_HERE}.updates:check_updates", _LOOK, "Look for newer versions of charts."),
    "completion": Entry(f"{_HERE}.completion:completion", _SETUP, "Print a completion script for a shell."),
    "schema": Entry(
        f"{_HERE}.schema:schema", _SETUP, "Print the JSON Schema of the project file or of a document."
    ),
    "version": Entry(f"{_HERE}.version:version", _SETUP, "Print the version."),
}

_GARBAGE = 50_000  # new objects before the first look for garbage: imports make many, and none of them is any
_SHORT_FORMAT = re.compile(r"-[yvqh]*o=?(\w*)")  # `-o`, `-ojson`, and behind other short flags: `-yo json`

ROOT = LazyGroup(
    name="sbkube",
    entries=ENTRIES,
    help="Deploy Helm charts and manifests to Kubernetes from one file, and never lose track of what was done.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Options may stand before or after the command. Exit codes: 0 done, 1 ran and failed, 2 usage, "
    "3 project, 4 surroundings, 5 state, 6 unrecorded, 10 changes pending, 130 interrupted.",
)
click.version_option(__version__, prog_name="sbkube", message="%(prog)s %(version)s")(ROOT)


def main(
    argv: Sequence[str] | None = None,
    *,
    load_api: Callable[[], Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run one command line; gives the exit code and raises nothing but SystemExit of the interpreter itself.

    `load_api` gives the module that commands call; the default imports `sbkube.api` when it is first needed.
    """
    if argv is None:  # this process is ours: what is imported is no garbage
        gc.set_threshold(_GARBAGE)
    args = list(sys.argv[1:] if argv is None else argv)
    env = os.environ if environ is None else environ
    try:
        return _run(args or ["--help"], env, load_api or _load_api)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        # Whoever read click's help has left; silence the interpreter's flush at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        from sbkube.cli.failures import report
        from sbkube.cli.session import Terminal

        return report(error, Terminal(sys.stdin, sys.stdout, sys.stderr, env), wanted_format(args, env))


def _run(args: list[str], environ: Mapping[str, str], load_api: Callable[[], Any]) -> int:
    def session(options: Options) -> Any:
        from sbkube.cli.session import Session, Terminal

        return Session(options, Terminal(sys.stdin, sys.stdout, sys.stderr, environ), load_api, args)

    # click takes words off the list that it is given; the caller still needs them.
    with ROOT.make_context("sbkube", list(args), obj=session) as context:
        context.meta["environ"] = environ
        code = ROOT.invoke(context)
    return code if isinstance(code, int) else 0


def _load_api() -> Any:
    from sbkube import api

    return api


def wanted_format(args: Sequence[str], environ: Mapping[str, str]) -> str:
    """The output format of a command line that may not even parse."""
    found = environ.get(FORMAT_VARIABLE) or "human"
    for at, word in enumerate(args):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("--format", "--output"):
            found = value if equals else (args[at + 1] if at + 1 < len(args) else found)
        elif short := _SHORT_FORMAT.fullmatch(word):
            found = short[1] or (args[at + 1] if at + 1 < len(args) else found)
    return found
