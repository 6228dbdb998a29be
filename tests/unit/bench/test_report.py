"""The table, and that the page shows what its JSON file says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import report
from bench.measure import measurement


def test_a_row_has_medians_range_and_goal() -> None:
    found = measurement("P1", ("apply", "helm"), 0.35, [(0.5, 1.0), (0.25, 1.0), (0.4, 4.0)])
    assert report.row(found) == ("P1", "apply", "helm", "400 ms", "1.00 s", "0.25 (0.10–0.50)", "≤ 0.35")


def test_a_row_of_memory_has_its_unit() -> None:
    found = measurement("P13", ("memory", "100 MB"), 1, [(72.6, 100.0), (74.0, 100.0)], unit="MB")
    assert report.row(found)[3:] == ("73 MB", "100 MB", "0.73 (0.73–0.74)", "≤ 1")


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    found = [measurement("P8", ("help", "python"), 6, [(0.04, 0.01)])]
    report.keep(report.document(found, {"cpus": 2}, 0.5), tmp_path / "run.json")
    assert report.measurements(json.loads((tmp_path / "run.json").read_text())) == found


def test_the_page_shows_the_kept_figures() -> None:
    kept = json.loads(report.KEPT.read_text("utf-8"))
    assert report.section(kept) in report.PAGE.read_text("utf-8")
