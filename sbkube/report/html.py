"""One deployment as one HTML file: all that `show -v` tells, to be attached to a ticket or kept as evidence.

The page needs nothing from elsewhere and runs no script; its security policy forbids both. What it shows went
through `report.masking`, as in the terminal, and every value is escaped by `report.markup`. Its parts are
functions (`summary`, `diffs`, `evidence`), and `report.graph` and `report.waterfall` draw: another page may put
them where it likes, with `html_style.STYLE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    EventRecord,
    HelmReleaseRecord,
    ResourceRecord,
)
from sbkube.plan.sensitive import sensitive_paths
from sbkube.report import graph, waterfall
from sbkube.report.detail import did, facts, revisions, why
from sbkube.report.diff import unified
from sbkube.report.history import fate
from sbkube.report.html_style import STYLE
from sbkube.report.ink import Ink
from sbkube.report.layout import between, plural
from sbkube.report.markup import Html, element, joined
from sbkube.report.masking import masked_pair

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_PLAIN = Ink()
_LINES = {"+ ": "add", "- ": "remove", "@@": "hunk"}
OUTPUT = "command.output"  # the kind of events that hold what a command said


def page(story: Sequence[DeploymentDetail], hidden: Sequence[str] = ()) -> str:
    """The whole file for a deployment; several where an interrupted one was gone on with, oldest first.

    Values at `hidden` paths are masked, besides those that the deployment itself calls sensitive. Raises nothing:
    what cannot be decrypted here is said in its place.
    """
    titles = " → ".join(detail.deployment.deployment_id for detail in story)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"sbkube {titles}"),
        element("style", STYLE),
    )
    body = element("body", *(_deployment(detail, number, hidden) for number, detail in enumerate(story)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _deployment(detail: DeploymentDetail, number: int, hidden: Sequence[str]) -> Html:
    links = {app.app_name: f"#app-{number}-{at}" for at, app in enumerate(detail.apps)}
    outputs = [event for event in detail.events if event.kind == OUTPUT]
    others = [event for event in detail.events if event.kind != OUTPUT]
    parts = [
        summary(detail.deployment),
        _section("Apps", _wide(graph.svg(graph.of_detail(detail, links)))),
        _section("Operations", _wide(waterfall.svg(waterfall.of_detail(detail)))),
        _section("What was done", diffs(detail, links, hidden)),
        _section("Output of commands and hooks", evidence(outputs)),
        _section("Evidence", evidence(others)),
    ]
    return element("main", *parts)


def _section(title: str, content: Html) -> Html:
    return element("section", element("h2", title), content) if content else Html()


def _wide(drawing: Html) -> Html:
    return element("div", drawing, class_="wide") if drawing else Html()


def badge(status: str, text: str = "") -> Html:
    """A status in its colour."""
    return element("span", text or status.replace("_", " "), class_=f"badge status-{graph.css_word(status)}")


def summary(record: DeploymentRecord) -> Html:
    """Who did what, where, from which commit, and how it ended."""
    rows = (item for name, value in facts(record) for item in (element("dt", name), element("dd", value)))
    title = element("h1", f"{record.deployment_id} ", badge(record.status.value, fate(record, _PLAIN)))
    return element("header", title, element("dl", *rows))


def diffs(detail: DeploymentDetail, links: Mapping[str, str] | None = None, hidden: Sequence[str] = ()) -> Html:
    """Per app, folded, what was done to each object and release, with the difference; failed apps are open."""
    hidden = (*sensitive_paths(detail.deployment.config_snapshot), *hidden)
    return joined(_app(app, detail, hidden, (links or {}).get(app.app_name, "")) for app in detail.apps)


def _app(app: AppDeploymentRecord, detail: DeploymentDetail, hidden: Sequence[str], link: str) -> Html:
    resources = [row for row in detail.resources if row.app_name == app.app_name]
    releases = [row for row in detail.releases if row.app_name == app.app_name]
    where = f"{app.app_type} in {app.namespace}" if app.namespace else app.app_type
    count = plural(len(resources) + len(releases), "operation")
    took = between(app.started_at, app.ended_at)
    about = element("span", " · ".join(filter(None, (where, count, took))), class_="faint")
    failed = app.status.value in ("failed", "partially_failed", "interrupted")
    return element(
        "details",
        element("summary", element("strong", app.app_name), " ", badge(app.status.value), " ", about),
        _message(app.error_message or ""),
        *(_release(row) for row in releases),
        *(_resource(row, hidden) for row in resources),
        id=link.removeprefix("#") or None,
        open=failed,
    )


def _release(row: HelmReleaseRecord) -> Html:
    name = f"release {row.namespace}/{row.release_name}"
    text = f"{name}: {row.chart} {row.chart_version}, revision {revisions(row)}"
    return _operation(text, row, Html())


def _resource(row: ResourceRecord, hidden: Sequence[str]) -> Html:
    if row.missing_key:
        note = "its images are encrypted with a key that is not here"
        return _operation(f"{row.key}: {did(row)}", row, _message(note))
    difference = Html()
    if row.before != row.after:
        difference = _difference(unified(*masked_pair(row.key, row.before, row.after, hidden), _PLAIN))
    return _operation(f"{row.key}: {did(row)}", row, difference)


def _operation(text: str, row: ResourceRecord | HelmReleaseRecord, content: Html) -> Html:
    failed = row.state.value == "failed"
    about = [f" {between(row.started_at, row.ended_at)}"]
    if isinstance(row, ResourceRecord) and row.source_file:
        about.append(f" {row.source_file}:{row.source_line}")
    head = element("summary", text, " ", badge(row.state.value), element("span", *about, class_="faint"))
    return element("details", head, _message(why(row)), content, open=failed)


def _message(text: str) -> Html:
    return element("p", text, class_="message") if text else Html()


def _difference(lines: Sequence[str]) -> Html:
    spans = (element("span", line, class_=_LINES.get(line[:2])) for line in lines)
    return element("pre", *spans) if lines else Html()


def evidence(events: Sequence[EventRecord]) -> Html:
    """Messages that were kept, oldest first, each with all that belongs to it."""
    return element("ul", *_messages(events)) if events else Html()


def _messages(events: Sequence[EventRecord]) -> Iterator[Html]:
    for event in events:
        stamp = event.created_at.astimezone().strftime("%H:%M:%S ")
        who = f"{event.app_name}: " if event.app_name else ""
        subject = f"{event.subject}: " if event.subject and not event.message.startswith(event.subject) else ""
        style = "warning" if event.kind == "warning" else None
        text = element("span", f"{who}{subject}{event.message}", class_=style)
        detail = event.detail.strip("\n")
        kept = element("details", element("summary", "all of it"), element("pre", detail)) if detail else ""
        yield element("li", element("span", stamp, class_="faint"), text, kept)
