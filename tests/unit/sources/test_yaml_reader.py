"""Documents as kubectl reads them, places, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbkube.errors import ConfigError, Place
from sbkube.sources.yaml_reader import decode, digest, read_documents, read_file, read_one, shown

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "kubectl_documents.json").read_text())["documents"]
DIFFERENT = {"esc / "}  # libyaml knows JSON's \/, Go's port of it does not


@pytest.mark.parametrize("name", [name for name in TABLE if name not in DIFFERENT])
def test_document_is_what_kubectl_reads(name: str) -> None:
    text, expected = TABLE[name]["yaml"], TABLE[name]["reads"]
    if "error" in expected:
        with pytest.raises(ConfigError) as caught:
            read_documents(text, "f.yaml")
        places = [caught.value.place, *(p.place for p in caught.value.problems)]
        assert any(place and place.line for place in places)
    else:
        assert read_one(text, "f.yaml").value == expected


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_documents(text, "f.yaml")
    return caught.value


def test_every_duplicate_key_is_named_with_its_place() -> None:
    error = refused("a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert [(p.message, str(p.place)) for p in error.problems] == [
        ('duplicate key "c"', "f.yaml:2:11"),
        ('duplicate key "a"', "f.yaml:3:1"),
    ]
    assert str(error) == "2 problems in f.yaml"


def test_keys_that_are_equal_only_as_json_are_duplicates_too() -> None:
    assert 'duplicate key "true"' in str(refused("{yes: 1, 'true': 2}"))
    assert 'duplicate key "1"' in str(refused("{1: 1, 0x1: 2}"))


def test_duplicates_can_be_tolerated_and_are_told() -> None:
    found: list[Any] = []
    (document,) = read_documents("a: 1\na: 2\n", "f.yaml", duplicates=found)
    assert document.value == {"a": 2}
    assert str(found[0].place) == "f.yaml:2:1"


@pytest.mark.parametrize(
    ("text", "place", "says", "hint"),
    [
        ("a: b: c", "f.yaml:1:5", "mapping values are not allowed", "quotes"),
        ("a:\n\tb: 1", "f.yaml:2:1", "cannot start any token", "tab"),
        ("a: @b", "f.yaml:1:4", "cannot start any token", "quoted"),
        ("a: 'b", "f.yaml:1:6", "end of stream", "never closed"),
        ("a: *b", "f.yaml:1:4", "undefined alias", "quoted"),
        ("a:\n  b: 1\n c: 2", "f.yaml:3:2", "begins on line 1", "indentation"),
        ("a: &x 1\nb: &x 2", "f.yaml:2:4", "second occurrence", "another name"),
        ("a: b\nc: \x07", "f.yaml:2:4", "control characters", "escape"),
    ],
)
def test_broken_yaml_has_a_place_and_a_way_out(text: str, place: str, says: str, hint: str) -> None:
    error = refused(text)
    assert str(error.place) == place
    assert says in error.message
    assert hint in (error.hint or "")


def test_alias_bombs_are_refused_without_writing_them_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert "more than 10 MB" in refused("\n".join(lines)).message


def test_a_large_file_without_aliases_is_no_bomb() -> None:
    text = "".join(f"k{n}: {'x' * 1000}\n" for n in range(10_500))
    assert len(read_one(text, "f.yaml").value) == 10_500


def test_anchors_within_themselves_and_endless_nesting_are_refused() -> None:
    assert "contains itself" in refused("a: &a [*a]").message
    assert "deeper than 250" in refused("[" * 100_000).message
    assert "deeper than 250" in refused("- " * 100_000 + "x").message


def test_documents_know_their_line_and_empty_ones_are_left_out() -> None:
    documents = read_documents("# nothing\n---\na: 1\n---\n---\n# c\nb: 2\n", "f.yaml")
    assert [(d.value, d.line) for d in documents] == [({"a": 1}, 3), ({"b": 2}, 7)]
    assert read_one("", "f.yaml").value is None


def test_read_one_refuses_a_second_document() -> None:
    with pytest.raises(ConfigError, match="several documents"):
        read_one("a: 1\n---\nb: 2\n", "f.yaml")


def test_places_of_keys_values_and_merged_parts() -> None:
    document = read_one("x: &x {deep: 1}\na:\n  - b\n  - <<: *x\n    c: 3\n", "f.yaml")
    assert document.place("a", 1, "c") == Place("f.yaml", 5, 8)
    assert document.place("a", 1, "c", key=True) == Place("f.yaml", 5, 5)
    assert document.place("a", 1, "deep") == Place("f.yaml", 1, 14)
    assert document.place("a", 7, "nothing") == Place("f.yaml", 3, 3)
    assert document.at("a", 1, "c") == 3
    assert document.at("a", "c", 1) is None


def test_json_with_escaped_characters_beyond_16_bits() -> None:
    text = json.dumps({"a": "\U0001f600", "b": "\\ud83d\\ude00"}, indent="\t")
    assert read_one(text, "f.json").value == {"a": "\U0001f600", "b": "\\ud83d\\ude00"}


def test_files_that_are_not_utf8_are_refused_at_the_byte(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        decode(b"a: 1\nb: \xe4\n", "f.yaml")
    assert caught.value.place == Place("f.yaml", 2, 4)
    assert decode(b"\xef\xbb\xbfa: 1", "f.yaml") == "a: 1"
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        read_file(tmp_path)


def test_paths_are_shown_relative_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown(Path("b.yaml")) == "b.yaml"
    assert shown(tmp_path.parent / "c.yaml") == str(tmp_path.parent / "c.yaml")


def test_digest_names_the_content() -> None:
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
