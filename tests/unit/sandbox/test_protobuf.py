"""Protobuf bodies of typed clients."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbkube.sandbox import protobuf
from sbkube.sandbox.protobuf import ProtobufError, UnsupportedKind, decode, encode_unknown


def _field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def test_a_secret_reads_as_its_json() -> None:
    label = _field(11, _field(1, b"owner") + _field(2, b"helm"))
    raw = _field(1, _field(1, b"s") + label) + _field(2, _field(1, b"release") + _field(2, b"\x00x"))
    found = decode(encode_unknown("v1", "Secret", raw + _field(3, b"helm.sh/release.v1")))
    assert found == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"owner": "helm"}},
        "data": {"release": base64.b64encode(b"\x00x").decode()},
        "type": "helm.sh/release.v1",
    }


def test_delete_options_are_read_whatever_their_group() -> None:
    found = decode(encode_unknown("meta.k8s.io/v1", "DeleteOptions", b"\x08\x05" + _field(4, b"Foreground")))
    assert (found["gracePeriodSeconds"], found["propagationPolicy"]) == (5, "Foreground")


def test_kinds_without_a_table_are_refused() -> None:
    with pytest.raises(UnsupportedKind):
        decode(encode_unknown("apps/v1", "StatefulSet"))


def test_a_workload_is_read_in_full_or_refused() -> None:
    container = _field(1, b"m") + _field(2, b"nginx")
    spec = _field(3, _field(2, _field(2, container)))
    found = decode(encode_unknown("apps/v1", "Deployment", _field(2, spec)))
    assert found["spec"]["template"]["spec"]["containers"] == [{"name": "m", "image": "nginx"}]
    probed = _field(3, _field(2, _field(2, container + _field(10, b"\x10\x05"))))
    with pytest.raises(UnsupportedKind):
        decode(encode_unknown("apps/v1", "Deployment", _field(2, probed)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for body in (data, protobuf.MAGIC + data, encode_unknown("v1", "Secret", data[:100])):
        with contextlib.suppress(ProtobufError, UnsupportedKind):
            assert isinstance(decode(body), dict)


def test_a_job_made_from_a_schedule_is_read_in_full() -> None:
    def part(number: int, content: bytes | str) -> bytes:
        data = content.encode() if isinstance(content, str) else content
        tag = number << 3 | 2
        return bytes([tag] if tag < 128 else [tag & 127 | 128, tag >> 7]) + bytes([len(data)]) + data

    limits = part(1, part(1, "cpu") + part(2, part(1, "100m")))
    pod = (
        part(2, part(1, "c") + part(8, limits)) + part(3, "Never") + part(14, b"") + part(19, "default-scheduler")
    )
    body = part(1, part(1, "x")) + part(2, part(6, part(2, pod)))
    assert decode(encode_unknown("batch/v1", "Job", body))["spec"]["template"]["spec"] == {
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "100m"}}}],
        "restartPolicy": "Never",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
