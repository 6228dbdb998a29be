"""Rendered templates are taken apart as Helm does it."""

from __future__ import annotations

import pytest

from sbkube.edges.helm_rendering import assemble, crd_documents, split_sources
from sbkube.errors import RenderError

HOOK = "kind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: %s\n"


def test_documents_keep_their_source() -> None:
    files = {"c/templates/b.yaml": "kind: B\n---\nkind: C\n", "c/templates/a.yaml": "kind: A"}
    assert assemble(files, "c").manifest == (
        "---\n# Source: c/templates/a.yaml\nkind: A\n"
        "---\n# Source: c/templates/b.yaml\nkind: B\n"
        "---\n# Source: c/templates/b.yaml\nkind: C\n"
    )


def test_empty_parts_and_partials_are_dropped() -> None:
    files = {
        "c/templates/a.yaml": "\n---\n\n---   \n",
        "c/templates/_b.yaml": "kind: B",
        "c/templates/_h.tpl": "x",
    }
    assert assemble(files, "c").manifest == ""


def test_notes_are_those_of_the_chart_itself() -> None:
    files = {"c/templates/NOTES.txt": "mine", "c/charts/s/templates/NOTES.txt": "its"}
    rendered = assemble(files, "c")
    assert (rendered.notes, rendered.manifest, rendered.hooks) == ("mine", "", ())


@pytest.mark.parametrize("events", ["pre-install", "post-delete, pre-upgrade", "TEST", "test-success"])
def test_hooks_are_set_apart(events: str) -> None:
    rendered = assemble({"c/templates/a.yaml": HOOK % events}, "c")
    assert rendered.manifest == ""
    assert rendered.hooks == ("# Source: c/templates/a.yaml\n" + HOOK % events,)


def test_unknown_events_are_dropped_as_helm_does() -> None:
    rendered = assemble({"c/templates/a.yaml": HOOK % "crd-install"}, "c")
    assert (rendered.manifest, rendered.hooks) == ("", ())


def test_the_word_alone_makes_no_hook() -> None:
    text = "kind: ConfigMap\ndata:\n  helm.sh/hook: x\n"
    assert "kind: ConfigMap" in assemble({"c/templates/a.yaml": text}, "c").manifest


def test_a_hook_that_is_not_yaml() -> None:
    with pytest.raises(RenderError, match="not YAML") as caught:
        assemble({"c/templates/a.yaml": "helm.sh/hook: a: b"}, "c")
    assert caught.value.place is not None
    assert caught.value.place.file == "c/templates/a.yaml"


def test_dashes_inside_of_text_do_not_split() -> None:
    text = "kind: A\ndata:\n  pem: |\n    -----BEGIN\n    ---\n"
    assert assemble({"c/templates/a.yaml": text}, "c").manifest.count("# Source:") == 1


def test_crds_are_split_and_headed() -> None:
    found = crd_documents([{"name": "x", "filename": "c/crds/x.yaml", "data": "---\nkind: A\n---\nkind: B\n"}])
    assert found == ("# Source: c/crds/x.yaml\nkind: A\n", "# Source: c/crds/x.yaml\nkind: B\n")


def test_sources_are_found_again() -> None:
    files = {"c/templates/a.yaml": "kind: A\n---\nkind: B\n", "c/templates/h.yaml": HOOK % "test"}
    rendered = assemble(files, "c")
    text = rendered.manifest + "".join(f"---\n{hook}" for hook in rendered.hooks)
    assert assemble(split_sources(text), "c") == rendered
