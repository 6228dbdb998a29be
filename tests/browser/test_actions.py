"""Acting at the page, by hand: what a person sees before, while and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Serving
from browser.test_page import FORMS, opened
from integration.conftest import Bench
from integration.test_rollback_forms import data, edit
from shapes import configmap

from sbkube.edges.cluster import HttpCluster


@pytest.mark.parametrize("form", FORMS)
def test_a_rollback_by_hand(
    chromium: Any, serving: Serving, history: Bench, api_server: HttpCluster, pictures: Path, form: str
) -> None:
    page, said = opened(chromium, serving.address(acts=True), **FORMS[form])

    def seen(name: str) -> None:
        page.screenshot(path=pictures / f"{name}-{form}.png", full_page=True)
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], name
        assert page.locator("main h1").count() == 1 and "swordfish" not in page.content(), name

    edit(api_server, history, configmap("settings", greeting="by hand"))
    page.get_by_role("link", name=history.namespace, exact=True).click()
    page.get_by_role("button", name="Look at the cluster").click()
    page.wait_for_selector("text=drift: 1 not as we left it")
    seen("project")
    page.get_by_role("link", name="sbkube").click()
    page.wait_for_selector("text=drift")
    seen("overview")
    page.locator("tbody th a").nth(0).click()
    page.get_by_role("heading", name="Act on it").wait_for()
    seen("act")
    page.get_by_role("button", name="Roll back to before it").click()
    page.get_by_role("alert").wait_for()
    seen("refused")
    page.get_by_label("Also where others have changed objects since").check()
    page.get_by_role("button", name="Make a new plan").click()
    page.get_by_role("heading", name="Do it").wait_for()
    seen("plan")
    page.get_by_label("to confirm").fill("something else")
    page.get_by_role("button", name="Rollback").click()
    page.get_by_role("alert").wait_for()
    assert page.evaluate("document.activeElement.id") == "confirm"
    seen("unconfirmed")
    page.keyboard.type(history.namespace)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1 .s-success", timeout=30_000)
    seen("done")
    found = data(api_server, history, "settings")
    assert found is not None and found["greeting"] == "hello 2"
    assert [text for text in said if "409" not in text and "400" not in text] == []


def test_who_only_reads_sees_nothing_to_press(chromium: Any, serving: Serving) -> None:
    page, _ = opened(chromium, serving.address())
    page.locator("tbody th a").nth(0).click()
    page.wait_for_selector("svg .bar")
    assert page.get_by_role("button").all_text_contents() == ["Sign out"]


def test_a_plan_needs_no_script(chromium: Any, serving: Serving, history: Bench) -> None:
    page, _ = opened(chromium, serving.address(acts=True), java_script_enabled=False)
    page.locator("tbody th a").nth(1).click()
    page.get_by_role("button", name="Go back to what it left").click()
    page.get_by_label("to confirm").fill(history.namespace)
    page.get_by_role("button", name="Rollback").click()
    assert page.locator("h1").text_content().startswith("dep-")
