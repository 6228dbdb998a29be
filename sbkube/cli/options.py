"""Options that every command takes, before or after its name, and the command classes that bind them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

FORMATS = ("human", "json", "yaml", "llm", "csv")
FORMAT_VARIABLE = "SBKUBE_OUTPUT_FORMAT"


@dataclass(frozen=True, slots=True)
class Options:
    """The common options as given; None means: not given. A phase is among the `apps` as `PHASE/`.

    `output` is one of `FORMATS`.
    """

    file: str | None = None
    apps: tuple[str, ...] = ()
    namespace: str | None = None
    environment: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    sandbox: bool = False
    no_cluster_lock: bool = False
    same_project: bool = False
    locked: bool = False
    offline: bool = False
    force_conflicts: bool = False
    state_url: str | None = None
    dry_run: bool = False
    output: str = "human"
    yes: bool = False
    verbose: bool = False
    quiet: bool = False


def _common() -> list[click.Option]:
    """Fresh option objects; every command has its own."""
    return [
        click.Option(["-f", "--file"], metavar="PATH", help="Project file or its folder (instead of TARGET)."),
        click.Option(["--app", "apps"], multiple=True, metavar="NAME", help="Only this app (repeatable)."),
        click.Option(["--phase", "phases"], multiple=True, metavar="NAME", help="Only this phase (repeatable)."),
        click.Option(["-n", "--namespace"], metavar="NAME", help="Base namespace instead of the project's."),
        click.Option(["--env", "environment"], metavar="NAME", help="Lay sbkube.NAME.yaml over the project file."),
        click.Option(["--kubeconfig"], metavar="PATH", help="Kubeconfig to use."),
        click.Option(["--context"], metavar="NAME", help="Context of the kubeconfig."),
        click.Option(["--sandbox"], is_flag=True, help="Use the built-in simulated cluster."),
        click.Option(["--no-cluster-lock"], is_flag=True, help="Lock in the state database only (no Lease)."),
        click.Option(["--same-project"], is_flag=True, help="This folder is the project deployed before: prune."),
        click.Option(["--locked"], is_flag=True, help="Refuse any change of sbkube.lock."),
        click.Option(["--offline"], is_flag=True, help="Fetch nothing; use what is in the cache."),
        click.Option(["--force-conflicts"], is_flag=True, help="Take fields that other field managers own."),
        click.Option(["--state-url"], metavar="URL", help="State database (SBKUBE_STATE_URL)."),
        click.Option(["--dry-run"], is_flag=True, help="Show what would happen; change nothing."),
        click.Option(
            ["-o", "--format", "--output", "output"],
            type=click.Choice(FORMATS),
            metavar="human|json|yaml|llm",
            help=f"Output format ({FORMAT_VARIABLE}).",
        ),
        click.Option(["-y", "--yes"], is_flag=True, help="Do not ask."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Show more."),
        click.Option(["-q", "--quiet"], is_flag=True, help="No progress, no summary."),
    ]


# What commands do that may take more than a moment; those that are not here answer at once, or run on and on.
_TAKES_TIME: Mapping[str, str] = {
    **dict.fromkeys(("apply", "deploy", "diff", "plan", "adopt", "upgrade", "rollback", "delete"), "planning"),
    **dict.fromkeys(("destroy", "resume"), "planning"),
    **dict.fromkeys(("status", "drift", "recover", "doctor", "state rebuild"), "looking at the cluster"),
    **dict.fromkeys(("build", "template"), "rendering"),
    **dict.fromkeys(("history", "show", "state info"), "reading the record"),
    "prepare": "fetching",
    "validate": "checking",
    "check-updates": "looking for newer charts",
    "init": "looking around",
    "migrate": "translating",
    "sandbox up": "starting the sandbox",
    "sandbox down": "stopping the sandbox",
    "sandbox reset": "stopping the sandbox",
    "state upgrade": "upgrading the database",
    "state verify": "verifying the record",
    "state prune": "looking for what may go",
    "state rekey": "encrypting anew",
    "state export": "exporting",
    "state import": "importing",
}
_NAMES = tuple(Options.__dataclass_fields__)


def merged(context: click.Context, environ: Mapping[str, str]) -> Options:
    """Options of all levels together: inner values win, lists are joined, flags add up."""
    chain: list[click.Context] = []
    level: click.Context | None = context
    while level is not None:
        chain.insert(0, level)
        level = level.parent
    values: dict[str, Any] = {}
    for at in chain:
        for name in _NAMES:
            given = at.params.get(name)
            if name == "apps":
                phases = (f"{phase.rstrip('/')}/" for phase in at.params.get("phases") or ())
                values[name] = (*values.get(name, ()), *(given or ()), *phases)
            elif given:
                values[name] = given
    values.setdefault("output", _from_environment(environ))
    return Options(**values)


def _from_environment(environ: Mapping[str, str]) -> str:
    value = environ.get(FORMAT_VARIABLE) or "human"
    if value not in FORMATS:
        raise click.UsageError(f"{FORMAT_VARIABLE} is {value!r}; it must be one of human, json, yaml, llm")
    return value


class Command(click.Command):
    """A command with the common options; its function is called with a session instead of them."""

    formats: Sequence[str] = ("human", "json", "yaml", "llm")

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        taken = {option for param in self.params for option in param.opts}
        self._common = [option for option in _common() if not taken & set(option.opts)]
        self.params += self._common

    def invoke(self, ctx: click.Context) -> Any:
        """Merge the common options, make the session, run."""
        make: Callable[[Options], Any] = ctx.find_root().obj
        options = merged(ctx, ctx.find_root().meta.get("environ", {}))
        if options.output not in self.formats:
            raise click.UsageError(f"{ctx.info_name} has no output format {options.output!r}")
        own = {name: value for name, value in ctx.params.items() if name not in (*_NAMES, "phases")}
        assert self.callback is not None
        session = make(options)
        if what := _TAKES_TIME.get(ctx.command_path.partition(" ")[2]):
            session.begin(what)
        try:
            return self.callback(session, **own)
        finally:
            session.stop_progress()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options first."""
        common = {id(option) for option in self._common}
        own = [
            p.get_help_record(ctx)
            for p in self.get_params(ctx)
            if isinstance(p, click.Option) and id(p) not in common
        ]
        shared = [p.get_help_record(ctx) for p in self._common]
        for title, records in (("Options", own), ("Common options", shared)):
            if rows := [record for record in records if record]:
                with formatter.section(title):
                    formatter.write_dl(rows)


class HistoryCommand(Command):
    """A command that can also write CSV."""

    formats = FORMATS


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, under which heading it is listed, and what is said of it."""

    place: str  # module:attribute
    section: str
    help: str


class LazyGroup(click.Group):
    """A group that imports a command only when it runs; its list of commands needs no import at all."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.entries = entries
        self.params += _common()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name comes with the nearest known one."""
        if args and not args[0].startswith("-") and args[0] not in self.entries:
            import difflib

            close = difflib.get_close_matches(args[0], self.entries, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands first: they are what people look for."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands under their headings."""
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            rows = [(name, e.help) for name, e in self.entries.items() if e.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)
