"""Downloads against a server that refuses, breaks off, redirects and wants to know who we are."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from web_server import Site, serving

from sbkube.edges.web import HttpWeb
from sbkube.errors import SourceUnavailable
from sbkube.models.source import Login, WebRequest, shown


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def fetch(site: Site, path: str, **fields: object) -> tuple[bytes, int]:
    into = io.BytesIO()
    request = WebRequest(site.url + path, **fields)  # type: ignore[arg-type]
    answer = HttpWeb({}, sleep=lambda _: None).get(request, into)
    return into.getvalue(), answer.status


def test_a_file_arrives_whole(site: Site) -> None:
    site.files["/a"] = b"x" * 200_000
    assert fetch(site, "/a") == (site.files["/a"], 200)


def test_a_download_that_broke_off_goes_on_where_it_was(site: Site) -> None:
    site.files["/a"] = bytes(range(256)) * 2000
    site.faults["/a"] = ["cut", "cut"]
    assert fetch(site, "/a") == (site.files["/a"], 206)
    ranges = [headers.get("range") for _, headers in site.asked]
    assert ranges == [None, "bytes=256000-", "bytes=384000-"]


def test_a_busy_server_is_asked_again(site: Site) -> None:
    site.files["/a"] = b"x"
    site.faults["/a"] = [503, 429]
    assert fetch(site, "/a")[0] == b"x"
    site.faults["/a"] = [500] * 9
    with pytest.raises(SourceUnavailable, match="answered 500"):
        fetch(site, "/a")


@pytest.mark.parametrize(("status", "hint"), [(404, "look at the URL"), (403, "look at username and password")])
def test_a_refusal_names_url_and_way_out(site: Site, status: int, hint: str) -> None:
    site.faults["/a"] = [status]
    with pytest.raises(SourceUnavailable, match=f"/a answered {status}") as caught:
        fetch(site, "/a")
    assert caught.value.hint == hint
    assert len(site.asked) == 1


def test_a_login_is_sent_to_its_host_and_to_no_other(site: Site) -> None:
    with serving() as other:
        site.login = ("ann", "s3cret")
        other.files["/b"] = b"b"
        site.files["/c"] = b"c"
        site.redirects = {"/a": f"{other.url}/b", "/here": "/c"}
        login = Login("ann", "s3cret")
        assert fetch(site, "/a", login=login)[0] == b"b"
        assert fetch(site, "/here", login=login)[0] == b"c"
        assert "authorization" not in other.asked[0][1]
        with pytest.raises(SourceUnavailable, match="answered 401"):
            fetch(site, "/c")


def test_more_than_the_limit_is_not_taken(site: Site) -> None:
    site.files["/a"] = b"x" * 100_000
    with pytest.raises(SourceUnavailable, match="larger than 1000 bytes"):
        fetch(site, "/a", limit=1000)


def test_nobody_there() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        HttpWeb({}, sleep=lambda _: None).get(WebRequest("http://127.0.0.1:9/a"), io.BytesIO())
    with pytest.raises(SourceUnavailable, match="no http or https URL"):
        HttpWeb({}).get(WebRequest("file:///etc/passwd"), io.BytesIO())


def test_a_url_is_shown_without_what_is_secret() -> None:
    assert shown("https://ann:pw@example.com/a.tgz?sig=abc#x") == "https://example.com/a.tgz"
