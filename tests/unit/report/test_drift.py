"""What others changed, in words and as a document."""

from __future__ import annotations

from sbkube.models.drift import AppDrift, DriftReport, DriftState, ObjectDrift, ReleaseDrift
from sbkube.models.plan import Cause, FieldChange
from sbkube.models.resource import ClusterInfo, ResourceKey
from sbkube.report.drift import document, render
from sbkube.report.ink import Ink

INFO = ClusterInfo("k3s", "https://127.0.0.1:6443", "default", "v1.34.1", "uid-1")
WEB = ResourceKey("apps", "v1", "Deployment", "shop", "web")
TOKEN = ResourceKey("", "v1", "Secret", "shop", "token")
FIELD = FieldChange("spec.replicas", 2, 5, Cause.DRIFT, "kubectl-scale", "2026-05-01T10:00:00Z", "Update")


def _report(*objects: ObjectDrift, releases: tuple[ReleaseDrift, ...] = ()) -> DriftReport:
    return DriftReport(INFO, "shop", "shop", (AppDrift("web", 3, objects, releases),))


def test_a_changed_field_names_both_values_who_and_when() -> None:
    report = _report(ObjectDrift(WEB, DriftState.CHANGED, (FIELD,)))
    text = render(report, ink=Ink())
    assert "spec.replicas: 2 → 5  by kubectl-scale at 2026-05-01T10:00:00Z" in text
    assert "drift: 1 not as we left it" in text
    (field,) = document(report)["apps"][0]["objects"][0]["fields"]
    assert (field["left"], field["now"], field["operation"]) == (2, 5, "Update")


def test_what_cannot_be_told_is_said_and_is_no_drift() -> None:
    report = _report(ObjectDrift(TOKEN, DriftState.UNKNOWN, note="cannot tell: no key"))
    assert report.drifted is False and document(report)["untold"] == 1
    text = render(report, ink=Ink())
    assert "no drift: 3 objects looked at, 1 cannot be told" in text and "cannot tell: no key" in text


def test_nothing_to_say_names_no_app() -> None:
    assert render(_report(), ink=Ink()).count("web") == 0


def test_releases_come_with_their_notes() -> None:
    release = ReleaseDrift("web", "shop", DriftState.MISSING, ("uninstalled by somebody",))
    report = _report(releases=(release,))
    assert report.drifted
    assert "release shop/web" in render(report, ink=Ink()) and "uninstalled" in render(report, ink=Ink())


def test_values_of_secrets_are_hidden_here_too() -> None:
    field = FieldChange("data.p", "Zmlyc3Q=", "c2Vjb25k", Cause.DRIFT)
    report = _report(ObjectDrift(TOKEN, DriftState.CHANGED, (field,)))
    for text in (render(report, ink=Ink()), str(document(report))):
        assert "Zmlyc3Q=" not in text and "c2Vjb25k" not in text
