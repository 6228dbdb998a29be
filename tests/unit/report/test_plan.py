"""A plan reads at a glance."""

from __future__ import annotations

from dataclasses import replace

from sbkube.errors import Place
from sbkube.models.plan import AppPlan, Cause, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.report.ink import Ink
from sbkube.report.plan import PlanView, render, summary, title


def key(kind: str, name: str) -> ResourceKey:
    return ResourceKey("", "v1", kind, "shop", name)


NEW = {"kind": "ConfigMap", "metadata": {"name": "new"}, "data": {"a": "1"}}
DRIFT = FieldChange("spec.replicas", 5, 3, Cause.DRIFT, "kubectl-edit", "2026-05-01T10:00:00Z")
THEIRS = FieldChange("spec.size", 1, 2, Cause.THEIRS, "operator")
SPEC = ReleaseSpec("cache", "shop", "/c", {}, chart_name="redis", chart_version="1.2.3")
PLAN = Plan(
    "shop",
    "shop",
    "apply",
    "k3s",
    "uid",
    (
        AppPlan(
            "web",
            "yaml",
            "shop",
            ("db",),
            (
                Change(key("ConfigMap", "new"), Effect.CREATE, None, NEW, source=Place("web.yaml", 4)),
                Change(key("Thing", "x"), Effect.CHANGE, fields=(DRIFT, THEIRS, FieldChange("spec.a", None, "b"))),
                Change(key("ConfigMap", "old"), Effect.DELETE, NEW, None),
                Change(key("ConfigMap", "odd"), Effect.UNKNOWN, note="its webhook refuses dry runs"),
                Change(key("ConfigMap", "same"), Effect.UNCHANGED),
            ),
        ),
        AppPlan(
            "cache",
            "helm",
            "shop",
            operations=(Operation("c", "cache", Verb.HELM_UPGRADE, release=SPEC, revision=3),),
            release="shop/cache",
        ),
        AppPlan("quiet", "yaml", "shop", (), (Change(key("ConfigMap", "q"), Effect.UNCHANGED),)),
    ),
    warnings=("nothing is pruned",),
)


def test_summary_line() -> None:
    assert summary(PLAN) == "1 to create, 1 to change, 1 to delete, 1 unknown, 2 unchanged"
    assert summary(Plan("p", "n", "apply", "k", "u")) == "0 to create, 0 to change, 0 to delete, 0 unchanged"


def test_what_changes_is_shown_and_what_stays_is_counted() -> None:
    text = render(PLAN, PlanView())
    assert "+ ConfigMap/new  web.yaml:4" in text and "+ data:" not in text
    assert "~ Thing/x" in text and "spec.a: absent → b" in text
    assert "- ConfigMap/old" in text
    assert "? ConfigMap/odd  its webhook refuses dry runs" in text
    assert "ConfigMap/same" not in text and "= 1 unchanged" in text and "quiet" not in text
    assert "! nothing is pruned" in text and "after db" in text


def test_causes_name_manager_and_time() -> None:
    text = render(PLAN, PlanView())
    assert "spec.replicas was changed by kubectl-edit at 2026-05-01T10:00:00Z: 5, goes back to 3" in text
    assert "spec.size is owned by operator: 1, wanted 2" in text


def test_releases() -> None:
    assert "* helm upgrade redis 1.2.3, revision 3 → 4" in render(PLAN, PlanView())


def test_bodies_and_unchanged_objects_on_request() -> None:
    text = render(PLAN, PlanView(bodies=True, unchanged=True))
    assert '+   a: "1"' in text and '-   a: "1"' in text and "= ConfigMap/same" in text


def test_colours() -> None:
    assert "\x1b[32m+ ConfigMap/new\x1b[0m" in render(PLAN, PlanView(Ink(True)))


def test_a_plan_says_what_it_resumes_or_undoes() -> None:
    made = Plan("shop", "shop", "apply", "k3s", "uid", ())
    assert title(made) == "Apply: shop"
    assert title(replace(made, parent="dep-1")) == "Resume of dep-1: shop"
    undo = replace(made, purpose="rollback", parent="dep-1")
    assert title(undo) == "Rollback of dep-1: shop" and title(undo, resumed=True) == "Resume of dep-1: shop"
