"""The HTML report: complete, self-contained, and safe whatever names and values a cluster holds."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    EventRecord,
    HelmReleaseRecord,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.models.plan import AppPlan, Change, Effect, Plan
from sbkube.models.resource import ResourceKey
from sbkube.report import graph, html, waterfall
from sbkube.report.graph import AppNode
from sbkube.report.markup import Html, element, escaped
from sbkube.report.waterfall import Bar

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HOSTILE = """<script>alert(1)</script>"' onload=x --> ]]> </style></title>&lt;\x00\x1b[31m\u202e"""
VOID = {"meta", "rect", "path", "line", "circle"}


def detail(name: str = "web", **changes: Any) -> DeploymentDetail:
    key = ResourceKey("", "v1", "ConfigMap", "shop", name)
    secret = ResourceKey("", "v1", "Secret", "shop", "token")
    end = NOW + timedelta(seconds=3)
    record = DeploymentRecord(
        1,
        "dep-1",
        DeploymentStatus.FAILED,
        NOW,
        name,
        "shop",
        "/p",
        "/p/sbkube.yaml",
        "apply",
        {"settings": {"sensitive": ["data.pin"]}, "apps": {name: {"depends_on": ["db"]}}},
        project=name,
        ended_at=end,
        error_message=name,
        origin={"commit": name, "branch": name, "remote": name},
    )
    apps = (
        AppDeploymentRecord(1, "db", name, name, DeploymentStatus.SUCCESS),
        AppDeploymentRecord(2, name, "yaml", "shop", DeploymentStatus.FAILED, {}, {}, NOW, end, name),
    )
    resources = (
        ResourceRecord(
            1,
            name,
            "op1",
            key,
            "apply",
            OpState.FAILED,
            before={"data": {"a": "1", "pin": "old-pin"}},
            after={"data": {"a": name, "pin": "new-pin"}},
            reason=name,
            message=name,
            source_file=name,
            source_line=3,
            started_at=NOW,
            ended_at=end,
        ),
        ResourceRecord(
            2,
            name,
            "op2",
            secret,
            "apply",
            OpState.APPLIED,
            before={"data": {"password": "aHVudGVyMg=="}},
            after={"data": {"password": "aHVudGVyMw=="}},
            started_at=NOW,
        ),
        ResourceRecord(3, name, "op3", key, "apply", OpState.APPLIED, missing_key=True),
    )
    releases = (
        HelmReleaseRecord(
            1, name, "op4", name, name, name, "1", "helm_upgrade", OpState.FAILED, message=name, started_at=NOW
        ),
    )
    events = (
        EventRecord(1, NOW, "command.output", name, name, "said", f"{name}\nlast line"),
        EventRecord(2, NOW, "warning", "", "", name),
    )
    return replace(DeploymentDetail(record, apps, resources, releases, events), **changes)


class Checker(HTMLParser):
    """Elements are closed in order; notes every tag and attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


@pytest.mark.parametrize("name", ["web", HOSTILE, "", "</details>", "日本語"])
def test_whatever_a_name_holds_the_page_stays_what_it_is(name: str) -> None:
    known = read(html.page([detail()]))
    found = read(html.page([detail(name)]))
    assert found.tags == known.tags
    assert {key for key, _ in found.attributes} <= {key for key, _ in known.attributes}
    assert "\x00" not in found.text and "\x1b" not in found.text and "\u202e" not in found.text
    html.page([detail(name)]).encode()


def test_hostile_names_are_shown_as_they_are() -> None:
    text = read(html.page([detail("<script>alert(1)</script>")])).text
    assert "<script>alert(1)</script>" in text


def test_no_script_and_nothing_from_elsewhere() -> None:
    page = html.page([detail()])
    checker = read(page)
    assert not checker.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not [key for key, _ in checker.attributes if key.startswith("on") or key in ("src", "style")]
    assert all((value or "").startswith("#") for key, value in checker.attributes if key == "href")
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in dict(checker.attributes)["content"] or "default-src &#x27;none" in page


def test_secret_values_never_get_in() -> None:
    page = html.page([detail()])
    for value in ("aHVudGVyMg", "aHVudGVyMw", "hunter", "old-pin", "new-pin"):
        assert value not in page
    assert "(masked, changed)" in page


def test_everything_is_told() -> None:
    text = read(html.page([detail()])).text
    for part in ("dep-1", "What was done", "Output of commands and hooks", "Evidence", "last line", "web:3"):
        assert part in text
    assert "encrypted with a key that is not here" in text
    assert text.count("dep-1") >= 2


def test_a_story_is_one_page() -> None:
    other = detail()
    other = replace(other, deployment=replace(other.deployment, deployment_id="dep-2"))
    page = html.page([detail(), other])
    assert page.count("<main>") == 2
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) == 4


def test_a_deployment_without_anything_has_a_page() -> None:
    assert "What was done" not in html.page([DeploymentDetail(detail().deployment)])


def test_columns_follow_what_apps_wait_for() -> None:
    nodes = [AppNode("a", depends_on=("b",)), AppNode("b"), AppNode("c", depends_on=("a", "b", "elsewhere"))]
    assert graph.ranks(nodes) == {"a": 1, "b": 0, "c": 2}


def test_a_circle_of_apps_is_drawn_all_the_same() -> None:
    nodes = [AppNode("a", depends_on=("b",)), AppNode("b", depends_on=("a",)), AppNode("c", depends_on=("c",))]
    ElementTree.fromstring(graph.svg(nodes))


@pytest.mark.parametrize("name", ["web", HOSTILE, "x" * 300, "\ud800"])
def test_drawings_are_well_formed(name: str) -> None:
    ElementTree.fromstring(graph.svg([AppNode(name, name, name, (name,), "#a"), AppNode("b", depends_on=(name,))]))
    ElementTree.fromstring(waterfall.svg([Bar(name, name, name, 0, 1, name)]))


def test_nothing_is_drawn_of_nothing() -> None:
    assert graph.svg([]) == waterfall.svg([]) == ""


def test_hooks_of_a_project_and_of_a_phase_have_edges() -> None:
    names = ["(hooks before)", "db", "web", "late/(hooks before)", "late/job", "(hooks after)"]
    specs: dict[str, dict[str, Any]] = {"web": {"depends_on": ["db"]}, "late/job": {"depends_on": ["web"]}}
    apps = tuple(
        AppDeploymentRecord(at, name, "yaml", "shop", DeploymentStatus.SUCCESS, specs.get(name, {}))
        for at, name in enumerate(names)
    )
    nodes = graph.of_detail(DeploymentDetail(detail().deployment, apps))
    assert {node.name: node.depends_on for node in nodes} == {
        "(hooks before)": (),
        "db": ("(hooks before)",),
        "web": ("db",),
        "late/(hooks before)": ("(hooks before)",),
        "late/job": ("late/(hooks before)", "web"),
        "(hooks after)": ("late/job",),
    }


def test_plans_have_graphs() -> None:
    key = ResourceKey("", "v1", "ConfigMap", "shop", "a")
    change = Change(key, Effect.CREATE)
    apps = (AppPlan("a", "yaml", "shop", ("b",), (change,)), AppPlan("b", "noop", "shop"))
    nodes = graph.of_plan(Plan("p", "n", "apply", "c", "u", apps))
    assert [(n.status, n.note) for n in nodes] == [
        ("pending", "yaml · 1 of 1 change"),
        ("unchanged", "noop · 0 of 0 change"),
    ]


def test_bars_stand_by_app_and_start() -> None:
    whole, app, *bars = waterfall.of_detail(detail())
    assert (whole.app, whole.label, whole.start) == (detail().deployment.deployment_id, "", 0.0)
    assert (app.app, app.label) == ("web", "")
    assert [(bar.label, bar.start, bar.end) for bar in bars] == [
        ("ConfigMap/web in shop", 0.0, 3.0),
        ("Secret/token in shop", 0.0, 3.0),
        ("release web", 0.0, 3.0),
    ]


def test_waiting_is_seen_behind_the_operations() -> None:
    made = detail()
    app = made.apps[-1]
    begun = made.deployment.created_at
    app = replace(app, started_at=begun, ended_at=begun + timedelta(seconds=60))
    record = replace(made.deployment, ended_at=begun + timedelta(seconds=80))
    bars = waterfall.of_detail(replace(made, deployment=record, apps=(app,)))
    assert [(bar.note, bar.end) for bar in bars[:2]] == [("deployment", 80.0), ("app", 60.0)]
    drawn = waterfall.svg(bars)
    assert "3 operations in 1m20s" in drawn and "web: app failed, 1m00s" in drawn
    pale = [rect for rect in ElementTree.fromstring(drawn).iter() if rect.get("fill-opacity")]
    assert [rect.get("width") for rect in pale] == ["560.0", "420.0"]
    assert int(pale[1].get("height") or 0) > 4 * 14, "as high as its operations"


@pytest.mark.parametrize("whole", [0.001, 0.4, 7, 100, 5000, 1e6, 1e8])
def test_the_axis_has_few_marks(whole: float) -> None:
    drawn = waterfall.svg([Bar("a", "b", "applied", 0, whole)])
    assert 1 <= drawn.count('class="tick"') <= 401
    assert whole > 6e5 or drawn.count('class="tick"') <= 9


def test_only_html_is_not_escaped() -> None:
    assert escaped("<") == "&lt;" and escaped(Html("<")) == "<"
    assert element("a", "<", href='"', hidden=True, open=False, stroke_width=1) == (
        '<a href="&quot;" hidden stroke-width="1">&lt;</a>'
    )
