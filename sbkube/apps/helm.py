"""`type: helm`: a native Helm release from a chart."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from sbkube.apps.base import MASKED, AppSpec, RenderContext, Rendered
from sbkube.apps.chart_copy import Alterations, altered
from sbkube.apps.charts import Chart, find_chart
from sbkube.apps.fields import FileOrValues, OneOrMore, SetValues, Text, refuse
from sbkube.apps.objects import at, objects
from sbkube.apps.values import Values, masked
from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import Manifest
from sbkube.sources.problems import refusal
from sbkube.sources.versions import Range, Version, VersionSyntaxError
from sbkube.sources.yaml_reader import read_documents

_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SOURCE = re.compile(r"^# Source: (.+?)\s*$", re.MULTILINE)


class HelmSpec(AppSpec):
    """A Helm release."""

    type: Literal["helm"]
    chart: Text = Field(
        min_length=1,
        description="REPOSITORY/CHART, oci://…, https://….tgz, or a folder or .tgz relative to this file.",
    )
    version: Text | None = Field(default=None, description='Version of the chart, or a range such as "^1.2".')
    values: tuple[FileOrValues, ...] = Field(default=(), description="Values files and inline values; later wins.")
    set_values: SetValues = Field(
        default_factory=dict,
        description="Single values, as paths with values or in the syntax of Helm's --set; they win over values.",
    )
    overrides: OneOrMore = Field(
        default=(), description="Files of the chart (globs too) that overrides/APP/ replaces or adds."
    )
    removes: OneOrMore = Field(default=(), description="Files, folders and globs of the chart to leave out.")
    release_name: Text | None = Field(default=None, description="Name of the release; default: the app's name.")
    wait: bool = Field(default=True, description="Wait until the release's objects are ready.")
    atomic: bool = Field(default=False, description="Roll the release back when it fails.")
    force_adopt: bool = Field(default=False, description="Let the release take over objects that exist already.")
    helm_label_injection: bool = Field(default=True, description="Label objects with project and app.")

    @field_validator("version")
    @classmethod
    def _valid_version(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Range.parse(value)
            except VersionSyntaxError:
                hint = 'write a version, or a range such as "^1.2" or ">=1.2 <3"'
                raise refuse(f'"{value}" is no version', hint) from None
        return value

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
        return self.release_name or self.short.replace("_", "-")

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


def _alterations(spec: HelmSpec) -> Alterations:
    def placed(field: str, patterns: Iterable[str]) -> list[tuple[str, Place | None]]:
        return [(pattern, spec.where(field, index)) for index, pattern in enumerate(patterns)]

    return Alterations(spec.short, placed("overrides", spec.overrides), placed("removes", spec.removes))


def merged_values(spec: HelmSpec, context: RenderContext, sources: dict[str, str]) -> dict[str, Any]:
    """What is shared by all apps, then the app's own values in order, then `set_values`; later wins.

    Adds each file's digest to `sources`. Raises RenderError with all files that are missing or broken.
    """
    values = Values(context, sources)
    for item, place in context.shared_values:
        values.add(item, place)
    for index, item in enumerate(spec.values):
        values.add(item, spec.where("values", index))
    values.set(spec.set_values, lambda step: spec.where("set_values", step))
    if values.problems:
        raise refusal(values.problems, RenderError, f"app {spec.name}")
    return values.merged


def build_chart(spec: HelmSpec, context: RenderContext, warnings: list[str]) -> Chart:
    """The chart as it will be rendered; raises RenderError or SourceUnavailable."""
    chart = find_chart(spec.chart, spec.version or "", context, spec.where("chart"))
    return altered(chart, _alterations(spec), context, warnings)


def render(spec: HelmSpec, context: RenderContext) -> Rendered:
    """The release and its objects; raises RenderError for what is missing, and with Helm's message."""
    remarks: list[str] = []
    chart = build_chart(spec, context, remarks)
    sources = {chart.source: chart.digest}
    values = merged_values(spec, context, sources)
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
        take_ownership=spec.force_adopt,
    )
    rendered = context.render_chart(release)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    manifests = tuple(_parsed([rendered.manifest], chart.name, problems, warnings))
    crds = tuple(_parsed(rendered.crds, f"{chart.name}/crds", problems, warnings))
    if problems:
        raise refusal(problems, RenderError, f"what the chart of app {spec.name} renders")
    notes = remarks + [f"{spec.name}: {problem.place}: {problem.message}" for problem in warnings]
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
