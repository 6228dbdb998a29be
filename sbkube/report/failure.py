"""Errors for people: what, where, and the way out."""

from __future__ import annotations

from sbkube.errors import ClusterError, ProjectError, SbkubeError
from sbkube.report.ink import Ink


def render(error: SbkubeError, ink: Ink | None = None) -> str:
    """The error in as few lines as it takes: each problem with its place, then the hint."""
    ink = ink or Ink()
    problems = error.problems if isinstance(error, ProjectError) else ()
    if len(problems) == 1 and str(problems[0].place or "") in ("", str(error.place or "")):
        problems = () if problems[0].message in error.message else problems
    lines = [f"{ink.paint('error:', 'red', 'bold')} {error}"]
    for problem in problems:
        where = f"{problem.place}: " if problem.place else ""
        lines.append(f"  {ink.bold(where)}{problem.message}")
        if problem.hint:
            lines.append(f"    {ink.dim('→')} {problem.hint}")
    if isinstance(error, ClusterError):
        lines += [f"  {field}: {message}" for field, message in error.causes if message not in error.message]
    if error.hint:
        lines.append(f"{ink.dim('→')} {error.hint}")
    return "\n".join(lines)
