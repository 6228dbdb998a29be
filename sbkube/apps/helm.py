"""`type: helm`: a native Helm release from a chart."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from sbkube.apps.base import MASKED, AppSpec, RenderContext, Rendered
from sbkube.apps.bases import project_name
from sbkube.apps.charts import find_chart
from sbkube.apps.fields import FileOrValues, SetValues, Text, refuse
from sbkube.apps.objects import at, objects
from sbkube.apps.set_values import SetSyntaxError, put, set_into
from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import Manifest
from sbkube.sources.problems import did_you_mean, refusal
from sbkube.sources.versions import Range, Version, VersionSyntaxError
from sbkube.sources.yaml_reader import read_documents, read_file, read_one, shown

_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SOURCE = re.compile(r"^# Source: (.+?)\s*$", re.MULTILINE)


class HelmSpec(AppSpec):
    """A Helm release."""

    not_yet = AppSpec.not_yet | {"overrides", "removes", "force_adopt"}

    type: Literal["helm"]
    chart: Text = Field(
        description="REPOSITORY/CHART, oci://…, https://….tgz, or a folder or .tgz relative to this file."
    )
    version: Text | None = Field(default=None, description='Version of the chart, or a range such as "^1.2".')
    values: tuple[FileOrValues, ...] = Field(default=(), description="Values files and inline values; later wins.")
    set_values: SetValues = Field(
        default_factory=dict,
        description="Single values, as paths with values or in the syntax of Helm's --set; they win over values.",
    )
    release_name: Text | None = Field(default=None, description="Name of the release; default: the app's name.")
    wait: bool = Field(default=True, description="Wait until the release's objects are ready.")
    atomic: bool = Field(default=False, description="Roll the release back when it fails.")
    helm_label_injection: bool = Field(default=True, description="Label objects with project and app.")

    @field_validator("release_name")
    @classmethod
    def _valid_release_name(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > 53 or _RELEASE_NAME.fullmatch(value) is None):
            raise refuse(
                f'"{value}" is no name for a release',
                "at most 53 lower-case letters, digits, dashes and dots, with a letter or digit at both ends",
            )
        return value

    @property
    def release(self) -> str:
        """The release's name: the given one, else the app's with dashes."""
        return self.release_name or self.name.replace("_", "-")

    def snapshot(self) -> dict[str, Any]:
        """The spec without values: any of them may be a secret."""
        plain = super().snapshot()
        if "values" in plain:
            plain["values"] = [v if isinstance(v, str) else masked(v) for v in plain["values"]]
        given = self.set_values
        if given:
            names = given if isinstance(given, Mapping) else [item.partition("=")[0] for item in given]
            plain["set_values"] = dict.fromkeys(names, MASKED)
        return plain


def masked(value: Any) -> Any:
    """The shape of values, with nothing of what they are."""
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return MASKED


def render(spec: HelmSpec, context: RenderContext) -> Rendered:
    """The release and its objects; raises RenderError for what is missing, and with Helm's message."""
    chart = find_chart(spec.chart, spec.version or "", context, spec.where("chart"))
    sources = {chart.source: chart.digest}
    values = merged_values(spec, context.folder, sources)
    release = ReleaseSpec(
        name=spec.release,
        namespace=spec.namespace or context.namespace,
        chart=str(chart.path.resolve()),
        values=values,
        chart_name=chart.name,
        chart_version=chart.version,
        chart_digest=chart.digest,
        app_version=chart.app_version,
        wait=spec.wait,
        atomic=spec.atomic,
        timeout=context.timeout if spec.timeout is None else spec.timeout,
        force_conflicts=context.force_conflicts if spec.force_conflicts is None else spec.force_conflicts,
    )
    rendered = context.render_chart(release)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    manifests = tuple(_parsed([rendered.manifest], chart.name, problems, warnings))
    crds = tuple(_parsed(rendered.crds, f"{chart.name}/crds", problems, warnings))
    if problems:
        raise refusal(problems, RenderError, f"what the chart of app {spec.name} renders")
    notes = [f"{spec.name}: {problem.place}: {problem.message}" for problem in warnings]
    if spec.version and not _fits(spec.version, chart.version):
        notes.append(f"{spec.name}: wants chart version {spec.version}, but {spec.chart} is {chart.version}")
    return Rendered(
        manifests, release, rendered, crds, spec.notes, sources, tuple(notes), spec.helm_label_injection
    )


def _fits(wanted: str, version: str) -> bool:
    try:
        return wanted == version or Range.parse(wanted).fits(Version.parse(version))
    except VersionSyntaxError:
        return False


def merged_values(spec: HelmSpec, folder: Path, sources: dict[str, str]) -> dict[str, Any]:
    """Values files, inline values and `set_values`, merged as Helm does; adds each file's digest to `sources`.

    Raises RenderError with all files that are missing or broken.
    """
    problems: list[Problem] = []
    result: dict[str, Any] = {}
    for index, item in enumerate(spec.values):
        if isinstance(item, str):
            found = _values_file(item, folder, spec.where("values", index), sources, problems)
        else:
            found = item
        result = merge(result, found)
    result = _with_settings(spec, result, problems)
    if problems:
        raise refusal(problems, RenderError, f"app {spec.name}")
    return result


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Helm's merge of values: maps deeply, everything else (null too) is replaced."""
    result = dict(below)
    for key, value in above.items():
        present = result.get(key)
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        result[key] = merge(present, value) if both else value  # type: ignore[arg-type]
    return result


def _with_settings(spec: HelmSpec, values: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    result: dict[str, Any] = deepcopy(values)
    given = spec.set_values
    steps: Iterable[tuple[str | int, Any]] = given.items() if isinstance(given, Mapping) else enumerate(given)
    for step, value in steps:
        try:
            if isinstance(step, str):
                put(result, step, value)
            else:
                set_into(result, value)
        except SetSyntaxError as error:
            problems.append(Problem(f"set_values: {error}", spec.where("set_values", step)))
    return result


def _values_file(
    name: str, folder: Path, place: Place | None, sources: dict[str, str], problems: list[Problem]
) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        names = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, names, noun="files there") if names else f"it is looked up in {folder}"
        problems.append(Problem(f'the values file "{name}" does not exist', place, hint))
        return {}
    try:
        text, sources[project_name(path, folder)] = read_file(path)
        document = read_one(text, shown(path))
    except ConfigError as error:
        problems += error.problems or (Problem(error.message, error.place, error.hint),)
        return {}
    if document.value is None or isinstance(document.value, dict):
        return document.value or {}
    problems.append(Problem("values must be a map", document.place()))
    return {}


def _parsed(
    texts: Iterable[str], default: str, problems: list[Problem], warnings: list[Problem]
) -> Iterable[Manifest]:
    """Objects of rendered text; the places are the templates that Helm names in `# Source:` comments."""
    for text in texts:
        starts = [(text.count("\n", 0, match.start()) + 1, match[1]) for match in _SOURCE.finditer(text)]

        def template(line: int, starts: list[tuple[int, str]] = starts) -> Place:
            found = bisect_right(starts, line, key=lambda start: start[0])
            return Place(starts[found - 1][1] if found else default)

        def renamed(found: Iterable[Problem], template: Callable[[int], Place] = template) -> list[Problem]:
            return [Problem(p.message, template(p.place.line if p.place else 0), p.hint) for p in found]

        misfits: list[Problem] = []
        twice: list[Problem] = []
        try:
            for document in read_documents(text, default, duplicates=twice):
                for manifest in objects(document, misfits, cleanup=False):
                    yield at(manifest, template(document.line))
        except ConfigError as error:
            misfits += error.problems or (Problem(error.message, error.place, error.hint),)
        problems += renamed(misfits)
        warnings += renamed(twice)
