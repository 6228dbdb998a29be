"""Documents as a reader follows them: blocks of code, and invisible remarks before them that say how they run.

A remark is an HTML comment right before a block:

- `<!-- setup: … -->`: lines of bash that lay out what the block takes for granted;
- `<!-- exits: 3 -->`: the exit codes of its last commands, where they are not 0;
- `<!-- not run: … -->`: why the block cannot be run on the sandbox;
- `<!-- output -->`, before a block of text: what the block above it prints.

YAML that begins with its file's name is that file. In a block with `$ ` before commands the other lines are
output. A line `…` of output stands for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"))
    if ".venv" not in path.parts
)
REMARKS = {"setup", "exits", "not run", "output"}
_BLOCK = re.compile(r"((?:^<!--(?:(?!-->).)*-->\n+)*)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"<!-- ([a-z ]+?)\s*(?::\s*(.*?)\s*)?-->", re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:ya?ml|env))\n")
_CHANGING: tuple[tuple[str, str], ...] = (
    (r"dep-\d{14}-[0-9a-f]{8}", "DEPLOYMENT"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?[A-Z]{3,4}\b|Z)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID"),
    (r"\bsha256:[0-9a-f]+|\b[0-9a-f]{32,64}\b", "DIGEST"),
    (r"\b\d+(\.\d+)?(s|m|h|d|ms)(?:\d+s)?\b", "TIME"),
    (r"https?://127\.0\.0\.1:\d+", "SERVER"),
    (r"\b[\w.-]+@[\w.-]+(?=, as )", "SOMEBODY"),
    (r" +", " "),
)


@dataclass(frozen=True)
class Block:
    """One block of code. `place` is its page and line."""

    place: str
    language: str
    text: str
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file that it is, or nothing."""
        found = _FILE.match(self.text) if self.language == "yaml" else None
        return found[1] if found else ""

    @property
    def runs(self) -> bool:
        """It is made to be run: at a prompt, or by Python."""
        program = self.language == "python" and self.text.startswith(("import ", "from "))
        return (self.language == "console" or program) and "not run" not in self.remarks


@dataclass(frozen=True)
class Step:
    """One command of a block, and what is said to come of it; `shown` is None where nothing is said."""

    place: str
    command: str
    exits: int = 0
    shown: str | None = None


def blocks(page: Path) -> list[Block]:
    """All blocks of a page in order."""
    text, found = page.read_text("utf-8"), []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        remarks = {kind: said or "" for kind, said in _REMARK.findall(match[1])}
        found.append(Block(f"{page.relative_to(ROOT)}:{line}", match[2], match[3], remarks))
    return found


def steps(page: Path) -> Iterator[Step]:
    """What a reader does on a page, one command after the other."""
    known = blocks(page)
    for block, after in zip(known, [*known[1:], Block("", "", "")], strict=True):
        if setup := block.remarks.get("setup"):
            yield Step(block.place, setup)
        if block.file:
            write = f'mkdir -p "$(dirname {block.file})"; cat > {block.file}'
            yield Step(block.place, f"{write} <<'END'\n{block.text}END")
        elif block.runs:
            commands = list(_commands(block))
            if "output" in after.remarks:
                commands[-1:] = [Step(block.place, commands[-1].command, commands[-1].exits, after.text)]
            yield from commands


def _commands(block: Block) -> Iterator[Step]:
    codes = [int(code) for code in block.remarks.get("exits", "0").split()]
    if block.language == "python":
        yield Step(block.place, f"python - <<'END'\n{block.text}END", codes[0])
        return
    prompted = block.text.startswith("$ ")
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:] if prompted else _lines(block.text)
    for at, part in enumerate(parts):
        command, _, shown = part.partition("\n")
        code = [*[0] * (len(parts) - len(codes)), *codes][at]
        yield Step(block.place, command, code, shown if prompted and shown else None)


def _lines(text: str) -> list[str]:
    """Lines of commands; one that ends in a backslash goes on."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def differs(shown: str, printed: str) -> str:
    """Nothing where the page shows what was printed, apart from what differs each time; else what was printed."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in _steady(shown))
    text = "".join(f"{line}\n" for line in _steady(printed))
    return "" if re.fullmatch(pattern, text) else text


def _steady(text: str) -> list[str]:
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.strip().splitlines() if line.strip()]
