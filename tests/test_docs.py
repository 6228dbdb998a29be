"""What the documents say is run: reference pages, project files, command lines, links, exit codes, figures."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from doc_pages import PAGES, ROOT, blocks

from sbkube.cli.commands.plan import PENDING
from sbkube.cli.failures import BUG
from sbkube.cli.main import ROOT as ROOT_COMMAND
from sbkube.config.load import load_project
from sbkube.errors import SbkubeError
from sbkube.sandbox.controllers import failures
from sbkube.sandbox.controllers.failures import failure, unschedulable
from sbkube.sandbox.faults import Fault

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BEGINNINGS = ("apiVersion: sbkube/v1", "# sbkube.yaml")


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    """Where a block is, and its text."""
    for page in PAGES:
        yield from ((block.place, block.text) for block in blocks(page) if block.language == language)


def _commands() -> Iterator[tuple[str, str]]:
    """Where an sbkube command line is, and its words. Lines of output are not command lines."""
    for place, block in _blocks("console"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:\||&&|;)\s", line.removeprefix("$ ")):
                if re.match(r"(\w+=\S+ )*sbkube\b", part):
                    yield place, part


PROJECTS = [(place, text) for place, text in _blocks("yaml") if text.startswith(BEGINNINGS)]
COMMANDS = list(_commands())


def test_there_is_something_to_check() -> None:
    assert len(PROJECTS) >= 1 and len(COMMANDS) >= 8


def test_reference_is_current() -> None:
    script = ROOT / "scripts" / "make_docs.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("place", "text"), PROJECTS, ids=[place for place, _ in PROJECTS])
def test_project_files_load(place: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "sbkube.yaml").write_text(text)
    project = load_project(tmp_path, environ={})
    document = yaml.safe_load(text)
    below = [
        f"{name}/{app}" for name, phase in document.get("phases", {}).items() for app in phase.get("apps", {})
    ]
    assert list(project.apps) == [*document.get("apps", {}), *below], place


@pytest.mark.parametrize(("place", "line"), COMMANDS, ids=[f"{place} {line[:30]}" for place, line in COMMANDS])
def test_commands_exist(place: str, line: str) -> None:
    words = [word for word in shlex.split(line, comments=True) if "=" not in word or word.startswith("-")]
    try:
        _parse(ROOT_COMMAND, words[0], words[1:], None)
    except click.exceptions.Exit:
        pass  # --help and --version end early
    except click.UsageError as error:
        pytest.fail(f"{place}: {line}: {error.format_message()}")


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None) -> None:
    """Let click read the words, level by level, without running anything."""
    context = command.make_context(name, words, parent=parent)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        below_name, below, left = command.resolve_command(context, rest)
        assert below is not None and below_name is not None
        _parse(below, below_name, left, context)


@pytest.mark.parametrize("line", ["sbkube frobnicate", "sbkube apply --frobnicate", "sbkube sandbox frobnicate"])
def test_commands_that_do_not_exist_are_found(line: str) -> None:
    words = line.split()
    with pytest.raises(click.UsageError):
        _parse(ROOT_COMMAND, words[0], words[1:], None)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(text):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = page if not file else page.parent / file
        if not path.exists() or (anchor and path.is_file() and anchor not in _anchors(path)):
            broken.append(target)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_test_kit_s_examples_work(tmp_path: Path) -> None:
    """Blocks of docs/testing.md that begin with a file's name are files; pytest runs them, as a reader would."""
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for _, block in BLOCK.findall(text):
        if named := re.match(r"# ([\w.]+\.(?:py|yaml))\n", block):
            (tmp_path / named[1]).write_text(block)
    done = _python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", ".")
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    done = _python(tmp_path, "without_pytest.py")
    assert done.stdout == "Running v1.34.0+sandbox\n", done.stdout + done.stderr


def _python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=folder)


def test_the_sandbox_s_page_names_all_faults_and_failures() -> None:
    """And nothing that the sandbox does not know."""
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    _, _, text = page.partition("### Faults")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(f.name for f in dataclasses.fields(Fault))
    _, _, text = page.partition("| `fail` |")
    words = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text.partition("Elsewhere")[0], re.M)))
    pod = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}}
    for word in words:
        shown = failure(word, pod, {"name": "c", "image": "i"}, "now")
        assert unschedulable(word) or f"simulated failure: {word}" not in str(shown.state), word
    assert {*failures._PULLS, *failures._CONFIGS, *failures._ENDS} <= set(words)


def test_exit_codes_of_the_readme_are_those_of_the_code() -> None:
    _, _, text = (ROOT / "README.md").read_text(encoding="utf-8").partition("| exit code |")
    rows = re.findall(r"^\| ([\d ]+) \|", text, re.MULTILINE)
    told = sorted(int(code) for row in rows for code in row.split())
    assert told == sorted({0, PENDING, BUG} | _codes(SbkubeError))


def test_every_variable_of_ours_is_told() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "sbkube").rglob("*.py"))
    told = "".join((ROOT / "docs" / page).read_text("utf-8") for page in ("reference/commands.md", "hooks.md"))
    assert {name for name in re.findall(r'"(SBKUBE_[A-Z_]+)"', code) if f"`{name}`" not in told} == set()


def _codes(kind: type[SbkubeError]) -> set[int]:
    return {kind.exit_code}.union(*(_codes(below) for below in kind.__subclasses__()))
