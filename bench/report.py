"""What was measured, as a table for the terminal, as JSON, and as a section of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import peers, picture
from bench.measure import Measurement
from sbkube._version import __version__

ROOT = Path(__file__).resolve().parent.parent
LATEST = ROOT / "bench" / "results" / "latest.json"
KEPT = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "performance.svg"
BEGIN, END = "<!-- measured: begin (made by `make bench ARGS=--docs`) -->", "<!-- measured: end -->"
HEAD = ("#", "what", "against", "sbkube", "peer", "ratio", "goal")
Json = dict[str, Any]


def machine() -> Json:
    """On what this runs."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sbkube": __version__,
        "commit": revision(ROOT),
        "helm": peers.version("helm"),
        "kubectl": peers.version("kubectl"),
    }


def revision(checkout: Path) -> str:
    """What is checked out, with `-dirty` when files were changed since; empty outside of a checkout."""
    words = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def load() -> float:
    """Processes that want a CPU, averaged over a minute; -1 where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else -1


def document(found: Sequence[Measurement], on: Json, load_before: float) -> Json:
    """Everything about one run on the `machine` given."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": on,
        "load_before": load_before,
        "server": "sandbox",
        "measurements": [_rounded(asdict(m)) for m in found],
    }


def _rounded(plain: Json) -> Json:
    return {k: [round(s, 5) for s in v] if isinstance(v, tuple) else v for k, v in plain.items()}


def measurements(run: Json) -> list[Measurement]:
    """The measurements of a run read from JSON."""
    return [
        Measurement(**{**m, "ours": tuple(m["ours"]), "theirs": tuple(m["theirs"])}) for m in run["measurements"]
    ]


def row(m: Measurement) -> tuple[str, ...]:
    """One line of the table: medians in seconds, the median ratio with its range, and the goal."""
    low, high = min(m.ratios), max(m.ratios)
    ratio = f"{_figure(m.ratio)} ({_figure(low)}–{_figure(high)})"
    return m.name, m.what, m.against, _amount(m.ours, m.unit), _amount(m.theirs, m.unit), ratio, f"≤ {m.goal:g}"


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _amount(values: Sequence[float], unit: str) -> str:
    value = median(values)
    if unit != "s":
        return f"{value:.0f} {unit}"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def text(found: Sequence[Measurement]) -> str:
    """The table for a terminal."""
    rows = [HEAD, *(row(m) for m in found)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in rows
    )


def section(run: Json) -> str:
    """The measured part of docs/performance.md."""
    m = run["machine"]
    rows = [HEAD, ("---",) * len(HEAD), *(row(found) for found in measurements(run))]
    pairs = sorted({len(found.ours) for found in measurements(run)})
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    facts = (
        f"{run['date']}, {m['cpus']} CPUs ({m['cpu']}, {m['system']}), Python {m['python']}, "
        f"sbkube {m['sbkube']} ({m['commit'] or 'not from a checkout'}), "
        f"helm {m['helm'] or 'missing'}, kubectl {m['kubectl'] or 'missing'}; "
        f"load average {run['load_before']:g} before the run; {' or '.join(map(str, pairs))} pairs."
    )
    return "\n".join([*lines, "", facts])


def keep(run: Json, path: Path) -> None:
    """Write a run as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", "utf-8")


def replaced(page: str, begin: str, text: str, end: str) -> str:
    """The page with another text between two of its lines."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def renew_page(run: Json) -> None:
    """Replace the measured part of the page, and its picture."""
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), BEGIN, section(run), END), "utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture.svg(measurements(run)) + "\n", "utf-8")
