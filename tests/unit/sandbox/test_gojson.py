"""Go's words for what is not JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbkube.sandbox import gojson


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('"abc', "unexpected end of JSON input"),
        ("nul", "unexpected end of JSON input"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("trup", "invalid character 'p' in literal true (expecting 'e')"),
        ("-x", "invalid character 'x' in numeric literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        ('"\n"', r"invalid character '\n' in string literal"),
        ("'", r"invalid character '\'' looking for beginning of value"),
    ],
)
def test_syntax_errors(text: str, message: str) -> None:
    assert gojson.syntax_error(text.encode()) == message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(json_values)
def test_json_has_no_error(value: object) -> None:
    import orjson

    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        return
    assert gojson.syntax_error(text) == ""
    assert gojson.duplicates(text) == []


def test_members_that_come_twice_have_paths() -> None:
    text = b'{"a":{"b":1,"b":2,"b":3},"c":[{"x":1},{"x":1,"x":2}],"a":{}}'
    assert gojson.duplicates(text) == ["a", "c[1].x"]
    assert gojson.duplicates(b'{"a":{"b":1,"b":2}}') == ["a.b"]
