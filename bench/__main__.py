"""`python -m bench [--quick] [--only P1,P8] [--docs]`: measure and print a table."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

from bench import cases, report, steps


def _names(text: str) -> list[str]:
    names = [name.strip().upper() for name in text.split(",")]
    if unknown := [name for name in names if name not in cases.CASES]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: known are {', '.join(cases.CASES)}")
    return names


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure sbkube beside its peers.")
    parser.add_argument("--quick", action="store_true", help="less work, fewer pairs: for a first look")
    parser.add_argument("--only", type=_names, default=list(cases.CASES), metavar="P1,P8", help="only these")
    parser.add_argument("--pairs", type=int, metavar="N", help="pairs of P1 to P4 (5)")
    parser.add_argument("--docs", action="store_true", help="also renew docs/performance.md; wants a full run")
    given = parser.parse_args(argv)
    if given.docs and (given.quick or given.only != list(cases.CASES)):
        parser.error("--docs wants a full run")
    return given


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    given = _arguments(argv)
    size = steps.QUICK if given.quick else steps.FULL
    if given.pairs:
        size = dataclasses.replace(size, pairs=given.pairs)
    load = report.load()
    found = cases.measured(given.only, size, _say)
    run = report.document(found, report.machine(), load)
    report.keep(run, report.LATEST)
    print(report.text(found))
    if given.docs:
        report.keep(run, report.KEPT)
        report.renew_page(run)


if __name__ == "__main__":
    main()
