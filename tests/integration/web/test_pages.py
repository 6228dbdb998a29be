"""The pages of `sbkube serve`, through a real deployment to the sandbox recorded in SQLite."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from integration.conftest import Bench
from shapes import configmap, deployment

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from sbkube.api import open_browser
from sbkube.models.resource import ResourceKey
from sbkube.state.database import DeploymentDatabase
from sbkube.web.door import Door, Rules
from sbkube.web.server import application

LINKED = r">ConfigMap/(page-\d+)[^<]*</a>"
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def door() -> Door:
    return Door(Rules(frozenset({"sbkube.example"}), ("10.0.0.0/8",), "x-user", metrics_token="m"))


@pytest.fixture
def client(door: Door, bench: Bench) -> Iterator[TestClient]:
    browser = open_browser()
    app = application(browser, door, lambda acts: None)
    with TestClient(app, base_url="http://127.0.0.1:8384", follow_redirects=False) as found:
        yield found
    browser.close()


@pytest.fixture
def inside(client: TestClient, door: Door) -> TestClient:
    answer = client.get(f"/login?token={door.invite()}")
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    return client


def seal_of(page: str) -> str:
    """What forms of a page carry to prove that they are ours."""
    found = re.search(r'name="seal" value="([0-9a-f]{64})"', page)
    assert found is not None, page
    return found[1]


def _secret(value: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"key": value}}


def _deploy(bench: Bench, greeting: str, secret: str) -> str:
    bench.write("a.yaml", [configmap("page", greeting=greeting), _secret(secret)])
    bench.write("b.yaml", [deployment("web")])
    apps = {
        "base": {"type": "yaml", "manifests": ["a.yaml"]},
        "web": {"type": "yaml", "manifests": ["b.yaml"], "depends_on": ["base"]},
    }
    bench.project(apps)
    return str(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])


def test_a_deployment_with_all_its_pages(bench: Bench, inside: TestClient) -> None:
    first = _deploy(bench, "hello", "swordfish-one")
    second = _deploy(bench, HOSTILE, "swordfish-two")
    pages = [
        inside.get("/"),
        inside.get("/deployment", params={"id": second}),
        inside.get("/compare", params={"a": first, "b": second}),
    ]
    shown = pages[1].text
    assert f'What changed<span class="hidden"> in ConfigMap/page in {bench.namespace}<' in shown
    assert first in pages[0].text and "base" in shown and 'class="edge"' in shown and 'class="bar ' in shown
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/object[^"]+)"', shown)]
    assert len(links) == 2
    pages += [inside.get(link) for link in links]
    pages += [inside.get(link + "&field=data.greeting") for link in links]
    links += [html.unescape(link) for link in re.findall(r'href="(/object[^"]+)"', pages[2].text)]
    assert len(links) == 4 and set(links[:2]) == set(links[2:])
    assert "hello" in pages[2].text and "hello" in pages[3].text + pages[4].text
    for page in pages:
        assert page.status_code == 200, page.text
        assert HOSTILE not in page.text
        assert "swordfish" not in page.text and "c3dvcmRmaXNo" not in page.text
        assert "style=" not in page.text and "<script>" not in page.text and " onclick" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
    assert "(masked" in shown and "&lt;script&gt;" in shown
    assert "hello" in inside.get(next(x for x in links if "ConfigMap" in x) + "&field=data.greeting").text
    assert f'project="{bench.namespace}"' in inside.get("/metrics").text


def test_filters_and_pages_of_the_timeline(bench: Bench, inside: TestClient) -> None:
    database = DeploymentDatabase()
    names = []
    for number in range(120):
        data = {
            "cluster": "k<3>s", "namespace": "n", "app_config_dir": "/p", "config_file_path": "/p/x",
            "command": "apply",
            "config_snapshot": {},
            "deployment_id": f"../{HOSTILE}{number:03}",
            "operator": f"ann{number % 2}",
            "project": "shop", "cluster_uid": "u",
        }  # fmt: skip
        names.append(database.create_deployment(data).deployment_id)
    database.close()
    seen: list[str] = []
    for start in ("/", "/?cluster=k<3>s&project=shop"):
        seen, where = [], start
        while where:
            text = inside.get(where).text
            assert HOSTILE not in text
            table = text.split("<tbody>")[1]
            seen += re.findall(r'name="a" value="[^"]*?(\d{3})"', table)
            found = re.search(r'rel="next" href="([^"]+)"', text)
            where = found[1].replace("&amp;", "&") if found else ""
        assert seen == [f"{number:03}" for number in reversed(range(120))]
    assert "ann1" not in inside.get("/?person=ann0").text.split("<tbody>")[1]
    assert "No deployments" in inside.get("/?until=1h").text and "119" in inside.get("/?since=1h").text
    assert (
        "117" in inside.get("/?text=117").text and "118" not in inside.get("/?text=117").text.split("<tbody>")[1]
    )
    assert inside.get("/deployment", params={"id": names[0]}).status_code == 200
    assert "No deployments" in inside.get("/?status=failed").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?until=x", 400),
        ("/object?kind=Nothing&name=x", 404),
        ("/?rest=x", 400),
        ("/?status=x", 400),
        ("/?since=x", 400),
        ("/deployment?id=x", 404),
        ("/no", 404),
    ],
)
def test_what_makes_no_sense_is_said(inside: TestClient, path: str, status: int) -> None:
    answer = inside.get(path)
    assert answer.status_code == status and "This cannot be shown" in answer.text


def test_a_comparison_that_cannot_be_made_keeps_its_form(bench: Bench, inside: TestClient) -> None:
    for query, status, why in (
        ("chosen=1", 400, "Choose two deployments"),
        ("a=dep-1&chosen=1", 400, "Choose two deployments"),
        ("a=dep-1&b=dep-2", 404, "dep-1"),
    ):
        answer = inside.get(f"/compare?{query}")
        assert answer.status_code == status
        assert why in re.findall(r'role="alert">([^<]*)', answer.text)[0]
        assert 'value="dep-1"' in answer.text or "dep-1" not in query
    assert 'role="alert"' not in inside.get("/compare").text


def test_browsers_keep_what_does_not_change(inside: TestClient) -> None:
    page = inside.get("/")
    assert page.headers["cache-control"] == "no-store"
    link = re.findall(r'href="(/static/page.css[^"]+)"', page.text)[0]
    kept = inside.get(link)
    assert "max-age" in kept.headers["cache-control"]
    assert inside.get("/static/none").headers["cache-control"] == "no-store"


def test_an_app_without_anything_to_do_is_no_empty_box(bench: Bench, inside: TestClient) -> None:
    _deploy(bench, "hello", "swordfish-one")
    shown = inside.get("/deployment", params={"id": _deploy(bench, "hello again", "swordfish-one")}).text
    assert shown.count('<details class="app"') == shown.count("nothing was done") == 1


def test_nobody_comes_in_without_a_token(client: TestClient, door: Door) -> None:
    assert client.get("/").headers["location"] == "/login"
    for path in ("/deployment", "/compare", "/object", "/live", "/metrics"):
        assert client.get(path).status_code == 401
    assert client.get("/healthz").text == "ok\n"
    token = door.invite()
    assert client.get(f"/login?token={token}").status_code == 303
    client.cookies.clear()
    assert client.get(f"/login?token={token}").status_code == 403


def test_signing_out_ends_the_session(inside: TestClient) -> None:
    cookies = dict(inside.cookies)
    seal = seal_of(inside.get("/").text)
    refused = inside.post("/logout", data={"seal": seal}, headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403 and inside.get("/").status_code == 200
    assert inside.post("/logout").status_code == 403 and inside.get("/").status_code == 200
    assert inside.post("/logout", data={"seal": seal}).status_code == 303
    inside.cookies.update(cookies)
    assert inside.get("/").status_code == 303


def test_wrong_tokens_are_slowed_down(client: TestClient, door: Door) -> None:
    for _ in range(10):
        assert client.get("/login?token=x").status_code == 403
    assert client.get("/login?token=x").status_code == 429
    assert client.get(f"/login?token={door.invite()}").status_code == 303


def test_looking_at_a_link_does_not_use_it_up(client: TestClient, door: Door) -> None:
    token = door.invite()
    assert client.head(f"/login?token={token}").status_code == 401
    assert client.get(f"/login?token={token}").status_code == 303


def test_two_servers_on_one_host_have_sessions_of_their_own(inside: TestClient) -> None:
    browser, door = open_browser(), Door(Rules())
    other = TestClient(application(browser, door, lambda acts: None), "http://127.0.0.1:8385")
    other.cookies = inside.cookies
    assert other.get("/", follow_redirects=False).status_code == 303
    assert other.get(f"/login?token={door.invite()}").status_code == 200
    assert other.get("/").status_code == inside.get("/").status_code == 200
    browser.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("127.0.0.1.evil.example", 421), ("sbkube.example:1", 200), ("[::1]:8384", 200)],
)
def test_only_names_of_this_server_are_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == status


def test_an_identity_counts_only_from_a_proxy(client: TestClient, door: Door) -> None:
    named = {"x-user": "ann<b>"}
    assert client.get("/", headers=named).status_code == 303
    with TestClient(client.app, "http://127.0.0.1", client=("10.1.2.3", 1)) as proxy:
        answer = proxy.get("/", headers=named)
        assert answer.status_code == 200 and "ann&lt;b&gt;" in answer.text
        sent = {b"x-user": "Jörg".encode()}
        assert "Sign out Jörg</button>" in proxy.get("/", headers=sent).text
        for spoilt in ("Jörg\u202e", "a\u200bnn", "al\u00adice", "al\x85ice", "x" * 300):
            assert proxy.get("/", headers={b"x-user": spoilt.encode()}).status_code == 401, ascii(spoilt)
        twice = [("x-user", "ann"), ("x-user", "bob")]
        assert proxy.get("/", headers=twice).status_code == 401, "one of the two may be the browser's"


def test_the_cookie_stays_on_tls_where_a_proxy_ends_it(client: TestClient, door: Door) -> None:
    told = {"x-forwarded-proto": "https"}
    for address, secure in (("10.1.2.3", True), ("192.0.2.1", False)):
        with TestClient(client.app, "http://127.0.0.1", client=(address, 1), follow_redirects=False) as visitor:
            answer = visitor.get(f"/login?token={door.invite()}", headers=told)
        assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_what_became_a_secret_later_is_hidden_in_what_was_before(bench: Bench, inside: TestClient) -> None:
    bench.write("a.yaml", configmap("page", pin="4711-old"))
    bench.project({"base": {"type": "yaml", "manifests": ["a.yaml"]}})
    first = bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"]
    assert "4711-old" in inside.get("/deployment", params={"id": first}).text
    bench.write("a.yaml", configmap("page", pin="4711-new"))
    bench.project({"base": {"type": "yaml", "manifests": ["a.yaml"]}}, sensitive=["data.pin"])
    bench.ok("apply", "-y")
    page = inside.get("/deployment", params={"id": first}).text
    link = html.unescape(re.findall(r'href="(/object[^"]*ConfigMap[^"]*)"', page)[0])
    browser, key = open_browser(), ResourceKey("", "v1", "ConfigMap", bench.namespace, "page")
    newest = browser.through_time(browser.newest()[0].cluster_uid, key)[0][1].id
    browser.close()
    for path in (link, f"{link}&field=data.pin", f"{link}&before={newest}", f"/compare?a={first}&b=latest"):
        answer = inside.get(path)
        assert answer.status_code == 200 and "4711" not in answer.text, path
        assert first in answer.text, path
    assert "4711" not in page


def test_objects_of_a_large_app_come_in_pages(bench: Bench, inside: TestClient) -> None:
    names = [f"page-{number:03}" for number in range(130)]
    bench.write("a.yaml", [*(configmap(name, pin="4711") for name in names), _secret("swordfish")])
    apps = {
        "many": {"type": "yaml", "manifests": ["a.yaml"]},
        "bad": {"type": "exec", "commands": ["exit 1"], "depends_on": ["many"]},
    }
    bench.project(apps, sensitive=["data.pin"])
    assert bench.sbkube("apply", "-y").code == 1
    shown = inside.get("/deployment", params={"id": "latest"}).text
    assert "All 132 objects of many" in shown and 40 < len(re.findall(LINKED, shown)) < 50
    assert ">run failed<" in shown and "of bad</a>" not in shown  # what failed is never left out
    where = re.findall(r'href="(/objects[^"]*)"', shown)[0]
    seen: list[str] = []
    for _ in range(3):
        page = inside.get(html.unescape(where)).text
        assert "4711" not in page and "swordfish" not in page and "(masked" in page
        seen += re.findall(LINKED, page)
        where = next(iter(re.findall(r'rel="next" href="([^"]*)"', page)), "")
    assert seen == names and not where
    first = bench.ok("show", "-o", "json").json["deployment_id"]
    bench.write("a.yaml", [configmap(name, colour="red") for name in names[:60]])  # others are pruned
    bench.project({"many": apps["many"]})
    bench.ok("apply", "-y")
    for pair in (f"a={first}&b=latest", f"a=latest&b={first}"):
        seen, where = [], f"/compare?{pair}"
        while where:
            page = inside.get(html.unescape(where)).text
            seen += re.findall(r"<summary>ConfigMap/(page-\d+)", page)
            where = next(iter(re.findall(r'rel="next" href="([^"]*)"', page)), "")
            assert "4711" not in page and "swordfish" not in page
        assert seen == names
    assert inside.get("/objects", params={"id": "nothing", "app": "many"}).status_code == 404
    assert "No objects" in inside.get("/objects", params={"id": "latest", "app": "none"}).text


def test_the_pages_of_a_postgresql_database(bench: Bench, door: Door, postgres_url: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("SBKUBE_STATE_URL", postgres_url)
    first, second = _deploy(bench, "one", "swordfish-one"), _deploy(bench, "two", "swordfish-two")
    bench.ok("rollback", "-y")
    browser = open_browser(postgres_url)
    with TestClient(application(browser, door, lambda acts: None), "http://127.0.0.1:8384") as inside:
        assert inside.get(f"/login?token={door.invite()}").status_code == 200
        shown = inside.get("/deployment", params={"id": second}).text
        link = html.unescape(re.findall(r'href="(/object[^"]*)"', shown)[0])
        paths = ["/", "/?text=apply", "/?app=base", "/?status=rolled_back", f"/compare?a={first}&b={second}", link]
        for path in (*paths, f"/objects?id={first}&app=base", "/metrics", "/healthz"):
            answer = inside.get(path)
            assert answer.status_code == 200 and "swordfish" not in answer.text, path
        assert second in inside.get("/?status=rolled_back").text
    browser.close()


def test_metrics_have_a_token_of_their_own(client: TestClient) -> None:
    assert client.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer m"}).status_code == 200
    assert client.get("/deployment", headers={"authorization": "Bearer m"}).status_code == 401


def test_news_are_told_when_something_moves() -> None:
    import asyncio

    from sbkube.web.live import news

    beats = iter(["a", "a", "b", "b", "c"])

    async def told() -> list[str]:
        return [part async for part in news(lambda: next(beats), every=0, looks=4)]

    assert asyncio.run(told()) == ["retry: 3000\n\n", *["event: moved\ndata: \n\n"] * 2]


def test_the_pulse_follows_a_deployment(bench: Bench) -> None:
    database = DeploymentDatabase()
    browser = open_browser()
    before = browser.pulse()
    data = dict.fromkeys(("cluster", "namespace", "app_config_dir", "config_file_path", "command"), "x")
    record = database.create_deployment({**data, "config_snapshot": {}})
    running = browser.pulse(record.deployment_id)
    assert browser.pulse() != before
    database.update_deployment_status(record.id, "in_progress")
    assert browser.pulse(record.deployment_id) != running
    browser.close()
    database.close()


class _Broken:
    """What reads the database, with a bug in it."""

    def __getattr__(self, name: str) -> None:
        raise RuntimeError("swordfish")


def test_a_bug_has_the_headers_of_every_page(inside: TestClient) -> None:
    inside.app.state.browser = _Broken()  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):  # it goes on to the log of the server
        inside.get("/")
    quiet = TestClient(inside.app, "http://127.0.0.1:8384", cookies=inside.cookies, raise_server_exceptions=False)
    answer = quiet.get("/")
    assert answer.status_code == 500 and "This is a bug" in answer.text and "swordfish" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


NONSENSE = (
    f"/deployment?id=latest~{'9' * 30}",
    f"/object?kind=ConfigMap&name=a&field=data[{'9' * 5000}]",
    "/?rest=x~y",
    f"/?rest=2026-01-01T00:00:00Z~{'9' * 30}",
    "/?rest=0001-01-01T00:00:00%2B14:00~1",
    "/?since=9999-12-31T23:59:59-14:00",
)


@pytest.mark.parametrize("path", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_in_an_address_is_no_bug(inside: TestClient, path: str) -> None:
    assert 400 <= inside.get(path).status_code < 500 or "/object" in path
