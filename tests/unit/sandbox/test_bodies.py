"""Bodies are read as Go reads them, and what cannot be read is refused in its words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sbkube.sandbox import bodies
from sbkube.sandbox.status import StatusError

JSON, YAML = "application/json", "application/yaml"
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(ord("a"), ord("i"))
)


def nested(levels: int) -> bytes:
    """Lists in lists."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def refused(content_type: str, body: bytes) -> str:
    """The message of the refusal."""
    with pytest.raises(StatusError) as caught:
        bodies.read_object(content_type, body)
    assert caught.value.code == 400
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a":"\xff\xc3"}', {"a": "��"}),
        (b'{"a":"\\ud800x"}', {"a": "�x"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b"null", {}),
        (b' {"a":1}\n', {"a": 1}),
    ],
)
def test_what_go_reads(body: bytes, read: Any) -> None:
    assert bodies.read_object(JSON, body) == read


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (JSON, b"", "unexpected end of JSON input"),
        (JSON, b"{'a':1}", r"invalid character '\'' looking for beginning of object key string"),
        (JSON, b'{"a":1e400}', "cannot unmarshal number into Go value of type float64"),
        (JSON, b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (JSON, nested(101), "exceeded max depth"),
        (JSON, nested(5000), "exceeded max depth"),
        (JSON, b"[" * 100_000, "unexpected end of JSON input"),
        (YAML, nested(101), "yaml: exceeded max depth"),
        (YAML, b"a: " + b"[" * 3000 + b"]" * 3000, "yaml: exceeded max depth"),
        (YAML, b"a: &a [*a]", "yaml: anchor value contains itself"),
        (YAML, b"a: &a\n  b: *a", "yaml: anchor value contains itself"),
        (YAML, BOMB, "yaml: document contains excessive aliasing"),
        (YAML, b"a: [", "yaml: line 1"),
        (YAML, b"a: !!python/object:os.system {}", "yaml:"),
    ],
)
def test_what_is_refused(content_type: str, body: bytes, text: str) -> None:
    begun = time.monotonic()
    assert text in refused(content_type, body)
    assert time.monotonic() - begun < 30


def test_a_hundred_levels_are_read() -> None:
    assert bodies.read_object(JSON, nested(100))
    assert bodies.read_object(YAML, nested(100))
