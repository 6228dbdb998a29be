"""The house rules that a machine can check: sizes, names, who may import what, and what start-up costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(p for p in (ROOT / "sbkube").rglob("*.py") if "versions" not in p.parts)
SAYS_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
HEAVY = {
    "sqlalchemy",
    "pydantic",
    "aiohttp",
    "http.client",
    "helm_python",
    "alembic",
    "cryptography",
    "rich",
    "yaml",
}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _named(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in paths]


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 40


def test_files_have_at_most_400_lines() -> None:
    assert _named([p for p in SOURCES if len(p.read_text(encoding="utf-8").splitlines()) > 400]) == []


def test_functions_have_at_most_60_lines_and_7_parameters() -> None:
    bad = []
    for path in SOURCES:
        for function in _functions(path):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            args = function.args
            count = len(
                [a for a in (*args.posonlyargs, *args.args, *args.kwonlyargs) if a.arg not in {"self", "cls"}]
            )
            if length > 60 or (count > 7 and function.name != "open_project"):
                where = f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
                bad.append(f"{where}: {length} lines, {count} parameters")
    assert bad == []


def test_names_say_something() -> None:
    assert _named([p for p in SOURCES if p.stem in SAYS_NOTHING or re.search(r"_v\d+$", p.stem)]) == []


@pytest.mark.parametrize(
    ("module", "home"),
    [
        ("subprocess", "edges/process.py"),
        ("sqlalchemy", "state/"),
        ("alembic", "state/"),
        ("helm_python", "edges/"),
    ],
)
def test_each_outside_thing_has_one_home(module: str, home: str) -> None:
    bad = [
        p
        for p in SOURCES
        if any(name == module or name.startswith(module + ".") for name in _imports(p))
        and not str(p.relative_to(ROOT / "sbkube")).startswith(home)
    ]
    assert _named(bad) == []


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert _named([p for p in SOURCES if marks.search(p.read_text(encoding="utf-8"))]) == []


def test_broad_except_is_rare() -> None:
    broad = 0
    lines = 0
    for path in SOURCES:
        lines += len(path.read_text(encoding="utf-8").splitlines())
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
            ):
                broad += 1
    assert broad <= lines / 1000 * 1.5


def test_public_functions_are_documented() -> None:
    bad = []
    for path in SOURCES:
        for node in _tree(path).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                bad.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert bad == []


@pytest.mark.parametrize("words", [["--help"], ["version"]])
def test_start_up_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['sbkube', *sys.argv[1:]]\n"
        "from sbkube.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('\\n'.join(['MODULES', *sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.partition("MODULES")[2].split())
    assert loaded & HEAVY == set()


def test_no_mocks_of_our_own_modules() -> None:
    """The tracker's unit test is the one exception: its form is fixed."""
    allowed = {"test_deployment_tracker.py", "test_house_rules.py"}
    tests = [p for p in (ROOT / "tests").rglob("*.py") if p.name not in allowed]
    assert _named([p for p in tests if "patch('sbkube" in p.read_text() or 'patch("sbkube' in p.read_text()]) == []


def test_every_app_type_has_its_test_and_its_example() -> None:
    from sbkube.apps import APP_TYPES

    examples = "".join(p.read_text() for p in (ROOT / "examples").rglob("sbkube.yaml"))
    for name in APP_TYPES:
        assert (ROOT / "tests/unit/apps" / f"test_{name}.py").exists(), name
        assert f"type: {name}" in examples, name
        assert (ROOT / "docs/apps" / f"{name}.md").exists(), name
