"""Helm's words, translated: texts as Helm 4.2 and 4.3 write them."""

from __future__ import annotations

import pytest

from sbkube.edges.helm_errors import LONGEST, action_error, rendering_error
from sbkube.errors import ClusterForbidden, ClusterUnreachable, HelmError, RenderError

NESTED = """demo/templates/web.yaml:4:6
  executing "demo/templates/web.yaml" at <include "demo.labels" .>:
    error calling include:
demo/templates/_helpers.tpl:10:3
  executing "demo.labels" at <.Values.a.b>:
    nil pointer evaluating interface {}.b"""

RENDERING = [
    (
        'template: d/templates/a.yaml:2:61: executing "d" at <lookup "v1">: error calling lookup: no',
        "d/templates/a.yaml:2:61",
        "no",
    ),
    (
        "parse error at (d/templates/a.yaml:3): unclosed action started at d/templates/a.yaml:2",
        "d/templates/a.yaml:2",
        "unclosed action started",
    ),
    ("execution error at (d/templates/a.yaml:2:6): need: this", "d/templates/a.yaml:2:6", "need: this"),
    (NESTED, "demo/templates/_helpers.tpl:10:3", "nil pointer evaluating interface {}.b"),
    (
        "Error: YAML parse error on d/templates/a.yaml: error converting YAML to JSON: yaml: line 7: did not find",
        "d/templates/a.yaml:7",
        "the rendered template is not YAML: did not find",
    ),
]


@pytest.mark.parametrize(("text", "place", "message"), RENDERING)
def test_template_errors(text: str, place: str, message: str) -> None:
    error = rendering_error(text, "ns/web", "./chart")
    assert isinstance(error, RenderError)
    assert (str(error.place), error.message) == (place, message)


def test_the_outer_template_is_said_too() -> None:
    assert rendering_error(NESTED, "ns/web", "c").hint == "included from demo/templates/web.yaml:4:6"


def test_a_failed_lookup_is_about_the_cluster() -> None:
    text = (
        'template: d/templates/a.yaml:2:61: executing "d" at <lookup "v1">: error calling lookup: '
        'Get "https://127.0.0.1:1/api/v1": dial tcp 127.0.0.1:1: connect: connection refused'
    )
    error = rendering_error(text, "ns/web", "c")
    assert isinstance(error, ClusterUnreachable)
    assert error.message.startswith('the cluster cannot be reached: Get "https://127.0.0.1:1/api/v1"')
    refused = rendering_error('secrets is forbidden: User "u" cannot get resource', "ns/web", "c")
    assert isinstance(refused, ClusterForbidden)


def test_missing_dependencies() -> None:
    text = (
        "Error: An error occurred while checking for chart dependencies. You may need to run the build"
        " to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis, common"
    )
    error = rendering_error(text, "ns/web", "charts/web")
    assert isinstance(error, RenderError)
    assert error.message == "the chart lacks its dependencies in charts/: redis, common"
    assert error.hint == "helm dependency build charts/web"


ACTIONS = [
    ("UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", "helm rollback web"),
    ("release: already exists", "at the same moment"),
    ('ConfigMap "a" exists and cannot be imported into the current release: invalid ownership metadata', "adopt"),
    ('Apply failed with 1 conflict: conflict with "kubectl" using v1: .data.x', "force_conflicts"),
    ("context deadline exceeded", "timeout"),
    ('namespaces "a" not found', "namespace"),
]


@pytest.mark.parametrize(("text", "hint"), ACTIONS)
def test_known_failures_have_a_way_out(text: str, hint: str) -> None:
    error = action_error(f"Error: {text}", "ns/web")
    assert isinstance(error, HelmError)
    assert error.subject == "ns/web"
    assert hint in (error.hint or "")
    assert not error.message.startswith(("Error", "UPGRADE"))


def test_unreachable_clusters() -> None:
    error = action_error(
        'kubernetes cluster unreachable: Get "https://x/version": dial tcp: no such host', "ns/web"
    )
    assert isinstance(error, ClusterUnreachable)


def test_log_lines_and_line_breaks_go() -> None:
    text = 'level=WARN msg="x"\n2026/11/23 10:49:59 ERROR unable to retrieve\nError: first\n- second\n\n'
    assert action_error(text, "ns/web").message == "first; second"


def test_long_messages_are_cut() -> None:
    assert len(action_error("x" * 5000, "ns/web").message) == LONGEST
