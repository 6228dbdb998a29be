"""Every wrong file of the table gets the messages that stand there, each with its place and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sbkube.config.load import load_project
from sbkube.errors import ConfigError, Problem

TABLE = Path(__file__).with_name("wrong_files.txt")


def cases() -> Iterator[tuple[str, list[str]]]:
    """Text of a file, and what is to be said of it."""
    text: list[str] = []
    says: list[str] = []
    for line in [*TABLE.read_text("utf-8").splitlines(), ""]:
        if line.startswith("=> "):
            says.append(line.removeprefix("=> "))
        elif line and not line.startswith("#"):
            text.append(line.replace("\\t", "\t"))
        elif says:
            yield "\n".join(text), says
            text, says = [], []


CASES = list(cases())


def told(error: ConfigError) -> list[str]:
    problems = error.problems or (Problem(error.message, error.place, error.hint),)
    return [
        f"{p.place.line}:{p.place.column} {p.message}{f' → {p.hint}' if p.hint else ''}"
        for p in problems
        if p.place
    ]


@pytest.mark.parametrize(("text", "says"), CASES, ids=[text.replace("\n", "|")[:80] for text, _ in CASES])
def test_a_wrong_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    whole = text[1:] if text.startswith("!") else f"apiVersion: sbkube/v1\n{text}"
    Path("sbkube.yaml").write_text(f"{whole}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_project(environ={})
    assert told(caught.value) == says


def test_there_are_many() -> None:
    assert len(CASES) >= 150


def test_several_errors_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = [(text, says) for text, says in CASES if text.startswith("settings: {") and "${" not in text]
    wrong = [(t, s) for t, s in wrong if len(s) == 1 and "duplicate" not in s[0]]
    keys = {text.removeprefix("settings: {").partition(":")[0]: (text, says) for text, says in wrong}
    body = "".join(f"  {text.removeprefix('settings: {').removesuffix('}')}\n" for text, _ in keys.values())
    Path("sbkube.yaml").write_text(f"apiVersion: sbkube/v1\nsettings:\n{body}", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_project(environ={})
    found = [line.partition(" ")[2] for line in told(caught.value)]
    assert sorted(found) == sorted(says[0].partition(" ")[2] for _, says in keys.values())
    assert len(found) > 20


def test_what_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sbkube.yaml").write_bytes(b"apiVersion: sbkube/v1\nmetadata: {name: \xff}\n")
    with pytest.raises(ConfigError) as caught:
        load_project(environ={})
    assert told(caught.value) == ["2:18 is not UTF-8 text (byte 0xff) → save the file as UTF-8"]


def test_an_alias_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    Path("sbkube.yaml").write_text(f"apiVersion: sbkube/v1\n{bomb}", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_project(environ={})
    assert any("alias" in line or "expand" in line for line in told(caught.value))
