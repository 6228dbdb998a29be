"""Helm's error texts, translated into our errors in one table.

Helm wraps errors in Go fashion (`a: b: c`) over several lines; users get one line with the cause, the template's
file and line where there is one, and the way out where it is known.
"""

from __future__ import annotations

import re

from sbkube.errors import ClusterForbidden, ClusterUnreachable, HelmError, Place, Problem, RenderError, SbkubeError

LONGEST = 600  # characters of a message; Helm quotes whole objects in some

_PREFIX = re.compile(
    r"^(?:Error: |INSTALLATION FAILED: |UPGRADE FAILED: |execution error at|template: |"
    r"ROLLBACK FAILED: |cluster reachability check failed: )"
)
_LOGGED = re.compile(r"^(?:level=\w+|time=\S+|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |I\d{4} |W\d{4} |E\d{4} |WARNING: )")
# Three spellings: `(x/y.yaml:2:6)`, `x/y.yaml:2:6` at the start of a line, `template: x/y.yaml:2:6:`.
_FRAME = re.compile(r"(?:^|[\s(])([\w.+-]+/[^\s:()\"]+):(\d+)(?::(\d+))?(?=[\s):]|$)", re.MULTILINE)
_EXECUTING = re.compile(r'^\s*executing "[^"]*" at <.*>:\s*$|^\s*error calling include:\s*$', re.MULTILINE)
_CALLING = re.compile(r'(?:executing "[^"]*" at <[^>]*>: )|(?:error calling \w+: )|(?:template: )')
_MISSING = re.compile(r"missing these dependencies: (.+)|missing in charts/ directory: (.+)")

_UNREACHABLE = re.compile(
    r"kubernetes cluster unreachable|connection refused|no such host|i/o timeout|TLS handshake timeout|"
    r"x509: |connection reset by peer|network is unreachable|no route to host",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(
    r" is forbidden: User |Unauthorized|must be logged in|asked for the client to provide cred"
)

_HINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"another operation .* is in progress",
            "another Helm action runs, or was killed; if none runs: helm rollback NAME, or helm uninstall NAME",
        ),
        (
            r"cannot re-?use a name that is still in use|release: already exists",
            "somebody else installed or changed this release at the same moment; run the command again",
        ),
        (
            r"exists and cannot be imported into the current release",
            "the object exists and belongs to nobody or to another release; adopt, rename or delete it",
        ),
        (
            r"[Aa]pply failed with \d+ conflicts?",
            "another field manager owns these fields; force_conflicts takes them",
        ),
        (r"no matches for kind", "the kind is not served by this cluster: is its CRD installed?"),
        (r"context deadline exceeded|timed out waiting", "it took longer than the app's timeout"),
        (r'namespaces? "[^"]+" not found', "create the namespace first, or allow it in settings"),
    )
)


def rendering_error(text: str, subject: str, chart: str) -> SbkubeError:
    """What a failed rendering means: RenderError, or ClusterUnreachable/ClusterForbidden when `lookup` failed."""
    clean = strip(text)
    missing = _MISSING.search(clean)
    if missing:
        return missing_dependencies((missing[1] or missing[2]).strip(), subject, chart)
    if _UNREACHABLE.search(clean):
        return unreachable(clean, subject)
    if _FORBIDDEN.search(clean):
        return ClusterForbidden(one_line(clean), subject=subject, hint="the chart looks up objects in the cluster")
    schema = _schema_problems(clean)
    if schema:
        message = "; ".join(p.message for p in schema)
        return RenderError(
            f"values do not fit the chart's schema: {message}",
            problems=schema if len(schema) > 1 else (),
            subject=subject,
        )
    return _template_error(clean, subject)


def action_error(text: str, subject: str, chart: str = "") -> SbkubeError:
    """What a failed install, upgrade, rollback or uninstall means."""
    clean = strip(text)
    if re.search(r"kubernetes cluster unreachable", clean, re.IGNORECASE):
        return unreachable(clean, subject)
    if _MISSING.search(clean) or "parse error at" in clean or "values don't meet" in clean:
        return rendering_error(clean, subject, chart)
    hint = next((hint for pattern, hint in _HINTS if pattern.search(clean)), None)
    name = subject.rpartition("/")[2]
    return HelmError(one_line(clean), subject=subject, hint=hint.replace("NAME", name) if hint else None)


def missing_dependencies(names: str, subject: str, chart: str) -> RenderError:
    """The chart names dependencies that are not in its `charts/` folder."""
    return RenderError(
        f"the chart lacks its dependencies in charts/: {names}",
        subject=subject,
        hint=f"helm dependency build {chart}",
    )


def unreachable(text: str, subject: str) -> ClusterUnreachable:
    """No connection; the Go wrapping around the cause is dropped."""
    cause = re.sub(r"^.*?(?=Get \"|dial |x509)", "", one_line(text), flags=re.DOTALL)
    return ClusterUnreachable(f"the cluster cannot be reached: {cause}", subject=subject)


def strip(text: str) -> str:
    """The error without log lines and without Helm's own prefixes."""
    lines = [line for line in text.strip().splitlines() if line.strip() and not _LOGGED.match(line)]
    clean = "\n".join(lines).replace("\n\nUse --debug flag to render out invalid YAML", "")
    clean = clean.replace("\nUse --debug flag to render out invalid YAML", "")
    while (match := _PREFIX.match(clean)) is not None:
        clean = clean[match.end() :].lstrip()
    return clean.strip()


def one_line(text: str) -> str:
    """All lines in one, cut at a bearable length."""
    joined = re.sub(r"\s*\n\s*[-*]?\s*", "; ", text.strip()).replace(":; ", ": ")
    return joined if len(joined) <= LONGEST else joined[: LONGEST - 1] + "…"


def _schema_problems(text: str) -> tuple[Problem, ...]:
    if "specifications of the schema" not in text:
        return ()
    lines = (line.strip() for line in text.splitlines()[1:])
    return tuple(Problem(line.removeprefix("- ")) for line in lines if line.startswith("- "))


def _template_error(text: str, subject: str) -> RenderError:
    """The innermost template is where the mistake is; the outermost one is said in the hint when it is another."""
    frames = [Place(m[1], int(m[2]), int(m[3] or 0)) for m in _FRAME.finditer(text)]
    if not frames:
        return _yaml_error(text, subject)
    outer, inner = frames[0], frames[-1]
    hint = f"included from {outer}" if outer.file != inner.file else None
    return RenderError(_cause(text), subject=subject, place=inner, hint=hint)


def _yaml_error(text: str, subject: str) -> RenderError:
    match = re.search(r"YAML parse error on ([^\s:]+): (?:error converting YAML to JSON: )?(.*)", text, re.DOTALL)
    if match is None:
        return RenderError(one_line(text), subject=subject)
    line = re.search(r"yaml: line (\d+): ", match[2])
    place = Place(match[1], int(line[1]) if line else 0)
    message = one_line(match[2]).replace(line[0], "") if line else one_line(match[2])
    return RenderError(f"the rendered template is not YAML: {message}", subject=subject, place=place)


_LAST_FRAME = re.compile(r"^.*[\s(]?[\w.+-]+/[^\s:()\"]+:\d+(?::\d+)?\)?:?\s*", re.DOTALL)


def _cause(text: str) -> str:
    """What is left after the last place, without the Go template engine's own words."""
    rest = _LAST_FRAME.sub("", "\n" + _tail(text), count=1)
    return one_line(_CALLING.sub("", _EXECUTING.sub("", rest))) or one_line(text)


def _tail(text: str) -> str:
    """A parse error names its place at the end of the message (`… started at FILE:LINE`): keep the message."""
    match = re.match(r"parse error at \(([^)]+)\): (.*)", text, re.DOTALL)
    return re.sub(r" at [\w.+-]+/[^\s:]+:\d+$", "", match[2]) if match else text
