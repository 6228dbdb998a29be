"""Writes docs/reference/ from the code: library, commands, keys of the project file, JSON, the sandbox's kinds.

The list of decisions is made from their pages.

Usage: python scripts/make_docs.py [--check]   (--check writes nothing and exits 1 if a page is stale)

Nothing here depends on the machine, the terminal or the time: the same code gives the same pages.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

import sbkube
from sbkube import api
from sbkube.api.family import Member
from sbkube.api.running import Result
from sbkube.api.undoing import Rollback
from sbkube.api.where import Where
from sbkube.apps import APP_TYPES
from sbkube.apps.base import AppSpec
from sbkube.cli import main as command_line
from sbkube.cli.commands.plan import PENDING
from sbkube.cli.failures import Bug
from sbkube.config.check import known_keys
from sbkube.config.model import Settings, StateSettings, TopLevel
from sbkube.config.repositories import REPOSITORIES
from sbkube.config.schema import json_schema
from sbkube.errors import SbkubeError
from sbkube.models.outcome import Event
from sbkube.report import schemas
from sbkube.report.schema_parts import PARTS
from sbkube.sandbox import defaults, protobuf, validate
from sbkube.sandbox.controllers.registry import RECONCILERS
from sbkube.sandbox.kinds import ALL_VERBS, BUILTIN, Kind

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NOTICE = "<!-- Made by `make reference` from the code; edit the code. -->"
Json = Mapping[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A Markdown table."""
    head = list(head)
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


# commands.md


def commands_page() -> str:
    """The page about the command line."""
    root = command_line.ROOT
    context = click.Context(root, info_name="sbkube")
    lines = [
        NOTICE,
        "",
        "# Commands",
        "",
        str(root.help),
        "",
        "```text",
        "sbkube [OPTIONS] COMMAND [ARGS]...",
        "```",
    ]
    lines += [
        "",
        *_overview(),
        "## Options of every command",
        "",
        "They may stand before or after the command.",
        "",
    ]
    lines += _options(context, root.params)
    lines += ["## Exit codes", "", *table(("code", "slug", "when"), _codes())]
    lines += ["The slug is `error` in the output of `-o json` and `-o yaml`.", ""]
    lines += ["## Environment", "", *table(("variable", "what it does"), _ENVIRONMENT)]
    lines += ["What commands of a project are given is in [hooks and commands](../hooks.md).", ""]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines).rstrip() + "\n"


_ENVIRONMENT = (
    ("`KUBECONFIG`", "the kubeconfig, unless `--kubeconfig` names another"),
    ("`SBKUBE_STATE_URL`", "the state database, unless `--state-url` names another"),
    ("`SBKUBE_STATE_KEY`", "the key that encrypts what is secret in it; `NEW,OLD` while keys change"),
    ("`SBKUBE_OUTPUT_FORMAT`", "the format, unless `-o` names another"),
    ("`SBKUBE_ALLOW_EXEC`", "`false` refuses every plan that would run a program on this machine"),
    ("`SBKUBE_HELM`", "`program` uses the `helm` on the path instead of Helm in this process"),
    ("`SBKUBE_LOCK_SECONDS`", "how long a lock holds whose owner is silent (2 to 3600; 30)"),
    ("`SBKUBE_CACHE_DIR`", "where charts, archives and repositories are kept (`~/.cache/sbkube`)"),
    ("`SBKUBE_METRICS_TOKEN`", "lets a machine read `/metrics` of `sbkube serve`"),
    ("`NO_COLOR`, `FORCE_COLOR`", "no colours; colours also where there is no terminal"),
    ("`CI`, `TERM=dumb`", "plain lines of progress instead of a tree that is drawn anew"),
    ("`COLUMNS`", "how wide tables may be, instead of the width of the terminal"),
)


def _overview() -> Iterator[str]:
    entries = command_line.ENTRIES.items()
    rows = ((entry.section, f"[{name}](#sbkube-{name})", entry.help) for name, entry in entries)
    return table(("", "command", "what it does"), rows)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """A command with its own options, then the commands below it."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"## {context.command_path}", "", "```text", usage, "```", "")
    yield from (inspect.cleandoc(command.help or ""), "")
    common = {option for param in command_line.ROOT.params for option in param.opts}
    yield from _options(context, [param for param in command.params if not common & set(param.opts)])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _command(below, click.Context(below, info_name=name, parent=context))


def _options(context: click.Context, params: Iterable[click.Parameter]) -> Iterator[str]:
    records = [param.get_help_record(context) for param in params if isinstance(param, click.Option)]
    rows = [(f"`{record[0]}`", record[1]) for record in records if record]
    if rows:
        yield from table(("option", "meaning"), rows)


def _codes() -> list[tuple[str, str, str]]:
    rows = [
        ("0", "", "Done, or nothing to do."),
        *_errors(SbkubeError),
        (str(PENDING), "", "Changes are pending (`diff --exit-status` and `plan --exit-status`)."),
        (str(Bug.exit_code), f"`{Bug.slug}`", "A bug; its trace is in a log file."),
    ]
    return sorted(rows, key=lambda row: int(row[0]))


def _errors(kind: type[SbkubeError]) -> Iterator[tuple[str, str, str]]:
    """The tree of errors, without those that only the command line knows."""
    for error in kind.__subclasses__():
        if error.__module__ == kind.__module__:
            yield str(error.exit_code), f"`{error.slug}`", inspect.cleandoc(error.__doc__ or "").split("\n\n")[0]
            yield from _errors(error)


# project-file.md


def project_page() -> str:
    """The page about sbkube.yaml."""
    schema = json_schema()
    shared: Json = schema["$defs"]
    lines = [NOTICE, "", "# The project file", "", "`sbkube.yaml`, or the file that TARGET or `--file` names."]
    lines += [
        "`sbkube schema` prints the same as JSON Schema, for editors. A key that is not listed is refused.",
        "",
    ]
    lines += _part("Top level", TopLevel, schema)
    lines += _part("settings", Settings, shared["Settings"])
    lines += _part("settings.state", StateSettings, shared["StateSettings"])
    for key, model in REPOSITORIES.items():
        lines += _part(f"settings.{key}.NAME", model, shared[model.__name__])
    lines += _every_app(shared)
    for name, app_type in APP_TYPES.items():
        own = {key: part for key, part in _keys(shared[f"App-{name}"]).items() if key not in AppSpec.model_fields}
        own.pop("name")
        lines += _part(f"type: {name}", app_type.spec, {**shared[f"App-{name}"], "properties": own})
    return "\n".join(lines).rstrip() + "\n"


def _every_app(shared: Json) -> Iterator[str]:
    """The keys that all app types share."""
    first = shared[f"App-{next(iter(APP_TYPES))}"]
    keys = {key: part for key, part in _keys(first).items() if key in (*AppSpec.model_fields, "name")}
    keys["type"] = {"enum": list(APP_TYPES), "description": "What the app is; its own keys are below."}
    yield from _part("Every app", AppSpec, {"properties": keys, "required": ["type"]})


def _keys(schema: Json) -> dict[str, Json]:
    return dict(schema["properties"])


def _part(title: str, model: type[BaseModel], schema: Json) -> Iterator[str]:
    """One heading with the model's purpose and a table of its keys."""
    purpose = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    yield from (f"## {title}", "", "What all types of apps share." if model is AppSpec else purpose, "")
    required = set(schema.get("required", ()))
    rows = [_row(key, part, model, key in required) for key, part in _keys(schema).items()]
    if rows:
        yield from table(("key", "type", "default", "meaning"), rows)


def _row(key: str, part: Json, model: type[BaseModel], required: bool) -> tuple[str, str, str, str]:
    meaning = str(part.get("description") or "")
    if "$ref" in part:
        meaning = meaning or str(json_schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]].get("description", ""))
    others = [other for other in _spellings(key, model) if other != key]
    if others and part.get("type") == "array":
        meaning += f" The same as {', '.join(f'`{other}`' for other in others)}; one of them is required."
    return f"`{key}`", kind(part), "required" if required else _default(key, model), meaning


def _spellings(key: str, model: type[BaseModel]) -> list[str]:
    """All spellings of the field that has this one, if it has several."""
    for field in model.model_fields.values():
        choices = [str(c) for c in getattr(field.validation_alias, "choices", ())]
        if key in choices:
            return [c for c in choices if c in known_keys(model)]
    return []


def _default(key: str, model: type[BaseModel]) -> str:
    field = model.model_fields.get(key)
    value = None if field is None or field.is_required() else field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}) or isinstance(value, BaseModel):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "map",
}


def kind(part: Json) -> str:
    """The type of a key in words; that `${ENV}` may stand for it in settings is said there once."""
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{word}`" for word in part["enum"])
    if "$ref" in part:
        return "map"
    if "anyOf" in part:
        choices = [kind(p) for p in part["anyOf"] if p.get("type") != "null" and "pattern" not in p]
        return " or ".join(dict.fromkeys(choices))
    if part.get("type") == "array":
        return f"list of {kind(part.get('items', {}))}"
    if isinstance(part.get("additionalProperties"), dict) and part["additionalProperties"].get("type"):
        return f"map of {kind(part['additionalProperties'])}"
    return _WORDS.get(str(part.get("type")), "anything") + _bounds(part)


def _bounds(part: Json) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is None and high is None:
        return ""
    return (
        f", {low} to {high}"
        if None not in (low, high)
        else f", at least {low}"
        if high is None
        else f", at most {high}"
    )


# sandbox-kinds.md


def kinds_page() -> str:
    """The page about what the sandbox serves."""
    lines = [
        NOTICE,
        "",
        "# Kinds of the sandbox",
        "",
        "All kinds can be created, read, listed, watched, changed, patched, applied and deleted; they are decoded",
        "by the schema of the API and show up in discovery. A kind without a tick is kept as it is. Kinds of",
        "CustomResourceDefinitions come in addition, with defaults and validation by their schema.",
        "",
        "- **defaults**: what the API server fills in.",
        "- **rules**: validation beyond the schema and metadata.",
        "- **simulated**: a controller does its work (see [the sandbox](../sandbox.md)).",
        "- **protobuf**: bodies in that form are read; others answer 415, and clients send JSON.",
        "",
    ]
    head = ("kind", "group and version", "resource", "scope", "defaults", "rules", "simulated", "protobuf", "more")
    rows = (_kind_row(kind) for kind in sorted(BUILTIN, key=lambda k: (k.group, k.kind, k.version)))
    return "\n".join([*lines, *table(head, rows)]).rstrip() + "\n"


def _kind_row(kind: Kind) -> tuple[str, ...]:
    named = (kind.group, kind.kind)
    autoscaler = kind.kind == "HorizontalPodAutoscaler"  # its defaults depend on the version
    more = [f"/{s.name}" for s in kind.subresources]
    if kind.verbs != ALL_VERBS:
        more.insert(0, f"only {', '.join(kind.verbs)}" if len(kind.verbs) < 4 else "no deletecollection")
    return (
        kind.kind,
        kind.api_version,
        f"`{kind.plural}`" + "".join(f" `{name}`" for name in kind.short_names),
        "namespace" if kind.namespaced else "cluster",
        _tick(autoscaler or named in defaults._DEFAULTS),
        _tick(kind.kind == "CustomResourceDefinition" or named in validate._RULES),
        _tick(named in RECONCILERS),
        _tick(f"{kind.api_version} {kind.kind}" in protobuf.supported()),
        ", ".join(more),
    )


def _tick(yes: bool) -> str:
    return "✓" if yes else ""


# python.md

_MORE = (Where, Result, Rollback, Member, Event)


def python_page() -> str:
    """The page about the library."""
    lines = [
        NOTICE,
        "",
        "# Python",
        "",
        '<!-- setup: cp -r "$ROOT/examples/02-order/." . -->',
        "```python",
        "import sbkube",
        "",
        'with sbkube.open_project(".") as project:',
    ]
    lines += ["    result = project.apply()", "```", "", inspect.cleandoc(api.__doc__ or ""), ""]
    lines += ["Durations are in seconds, times are aware and in UTC.", ""]
    lines += ["`where=sbkube.Where(sandbox=True)` tries it without a cluster.", ""]
    lines += [*_function("sbkube.", api.open_project)]
    lines += ["## Project", "", inspect.cleandoc(api.Project.__doc__ or ""), ""]
    for name, member in inspect.getmembers(api.Project):
        if not name.startswith("_") and inspect.isfunction(member):
            lines += _function("project.", member)
    for kind in _MORE:
        lines += [
            f"## {kind.__name__}",
            "",
            f"It is `{_home(kind)}.{kind.__name__}`.",
            "",
            inspect.cleandoc(kind.__doc__ or ""),
            "",
            "```python",
        ]
        lines += [f"{f.name}: {f.type}" for f in dataclasses.fields(kind)] + ["```", ""]
    lines += ["## Without a project", "", "These are in `sbkube.api`.", ""]
    for name in sorted(api.__all__):
        member = getattr(api, name)
        if inspect.isfunction(member) and name != "open_project":
            lines += _function("sbkube.api.", member)
    lines += ["## Programs to start from", "", "They are in `examples/python`, and tests run them.", ""]
    for path in sorted((ROOT / "examples" / "python").glob("*.py")):
        lines += [f"### {path.name}", "", "```python", path.read_text("utf-8").rstrip(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _home(kind: type) -> str:
    """The module that people take it from."""
    return next((m.__name__ for m in (sbkube, api) if kind.__name__ in m.__all__), kind.__module__)


def _function(prefix: str, function: Any) -> Iterator[str]:
    given = [p for name, p in inspect.signature(function).parameters.items() if name != "self"]
    plain = [p.replace(default="HERE") if isinstance(p.default, Where) else p for p in given]
    signature = str(inspect.signature(function).replace(parameters=plain)).replace("'HERE'", "sbkube.Where()")
    signature = re.sub(r"'([^']*[\w\])])'(?=[,)]| =|$)", r"\1", signature) if "'" in signature else signature
    signature = re.sub(r"\bwhere: Where\b", "where: sbkube.Where", signature)
    yield from (
        f"### {prefix}{function.__name__}",
        "",
        "```python",
        f"def {function.__name__}{signature}: ...",
        "```",
        "",
    )
    yield from (inspect.cleandoc(function.__doc__ or ""), "")


# json.md


def json_page() -> str:
    """The page about the documents of `-o json`."""
    lines = [
        NOTICE,
        "",
        "# JSON",
        "",
        "Every document of `-o json` names its schema as `schema`: `sbkube/NAME/v1`.",
    ]
    lines += [
        "`sbkube schema NAME` prints that schema. Within a version keys stay and keep their meaning, and new"
    ]
    lines += ["ones may come. Times are RFC 3339 in UTC, durations seconds; values of Secrets are masked.", ""]
    lines += ["A key in brackets may be missing. Where a document has several forms, each has its own table.", ""]
    for name, (what, forms) in schemas.DOCUMENTS.items():
        lines += [f"## {name}", "", what, ""]
        for form in forms:
            lines += _keys_table(form)
    lines += ["# Parts", ""]
    for name, part in PARTS.items():
        lines += [f"## part {name}", "", *_keys_table(part)]
    return "\n".join(lines).rstrip() + "\n"


def _keys_table(form: Json) -> Iterator[str]:
    names = {key: key if key in form["required"] else f"[{key}]" for key in form["properties"]}
    return table(("key", "value"), ((f"`{names[key]}`", _value(part)) for key, part in form["properties"].items()))


def _value(part: Json) -> str:
    """What a key of a document holds, in words."""
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#part-{name})"
    if "anyOf" in part:
        return " or ".join(_value(choice) for choice in part["anyOf"])
    kinds = part.get("type", "anything")
    if "array" in kinds:
        return f"list of {_value(part['items'])}"
    if "object" in kinds and part.get("properties"):
        return "map of " + ", ".join(f"`{key}`: {_value(below)}" for key, below in part["properties"].items())
    if "enum" in part or "const" in part:
        return kind(part) if "enum" in part else f"`{str(part['const']).lower()}`"
    words = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join("time" if part.get("format") and w == "string" else _WORDS.get(w, w) for w in words)


# ../adr/index.md


def decisions_page() -> str:
    """The list of decisions."""
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    titles = [(page.read_text("utf-8").partition("\n")[0].removeprefix("# "), page.name) for page in pages]
    what = "What cost something to decide: the question, what else was possible, and why it is as it is."
    return "\n".join([NOTICE, "", "# Decisions", "", what, "", *(f"- [{t}]({name})" for t, name in titles)]) + "\n"


PAGES = {
    "../adr/index.md": decisions_page,
    "json.md": json_page,
    "python.md": python_page,
    "commands.md": commands_page,
    "project-file.md": project_page,
    "sandbox-kinds.md": kinds_page,
}


def stale() -> list[tuple[Path, Callable[[], str]]]:
    """Pages that differ from what the code says now."""
    found = []
    for name, page in PAGES.items():
        path = (REFERENCE / name).resolve()
        if not path.exists() or path.read_text("utf-8") != page():
            found.append((path, page))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or check them; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    check = parser.parse_args(arguments).check
    outdated = stale()
    for path, page in outdated:
        print(f"{path.relative_to(ROOT)}: {'stale, run make reference' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(), "utf-8")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
