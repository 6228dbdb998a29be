"""What a person sees and does in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Serving
from integration.conftest import Bench

from sbkube.state.database import DeploymentDatabase

FORMS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def opened(chromium: Any, address: str, **form: Any) -> tuple[Any, list[str]]:
    """A page behind the sign-in, and what its console complained of."""
    page = chromium.new_context(**form).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    return page, said


def another() -> None:
    """One more deployment is recorded."""
    data = dict.fromkeys(("cluster", "namespace", "app_config_dir", "config_file_path", "command"), "x")
    database = DeploymentDatabase()
    database.create_deployment({**data, "config_snapshot": {}})
    database.close()


def _until(page: Any, met: Callable[[], bool]) -> None:
    for _ in range(100):
        if met():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it has not come to that")


@pytest.mark.parametrize("form", FORMS)
def test_every_page_fits_and_says_nothing_wrong(chromium: Any, address: str, pictures: Path, form: str) -> None:
    page, said = opened(chromium, address, **FORMS[form])

    def seen(name: str) -> None:
        page.screenshot(path=pictures / f"{name}-{form}.png")
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], name
        assert page.evaluate("document.querySelectorAll('main h1').length") == 1, name
        assert "swordfish" not in page.content()

    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == 3
    if form == "phone":  # nothing that matters is off the screen
        for what in ("th a", ".fate", ".pair input", "time"):
            assert page.locator(f"tbody tr {what}").first.bounding_box()["x"] < 300, what
    seen("deployments")
    page.locator("tbody tr input[name=a]").nth(1).check()
    page.locator("tbody tr input[name=b]").nth(0).check()
    page.get_by_role("button", name="Compare the two chosen").click()
    page.wait_for_selector(".diff")
    seen("compare")
    page.go_back()
    page.locator("tbody th a").nth(0).click()
    page.wait_for_selector("svg .bar:visible")
    assert page.locator("svg.waterfall:visible").count() == 1
    assert (page.locator("svg.waterfall:visible").bounding_box()["width"] < 390) is (form == "phone")
    seen("deployment")
    page.get_by_role("link", name="Deployment/database").first.click()
    page.wait_for_selector(".life li")
    page.get_by_label("One field").fill("spec.replicas")
    page.get_by_role("button", name="Who changed it?").click()
    page.wait_for_selector(".life pre")
    seen("object")
    assert page.locator(".life > li").count() == 3
    assert said == []


def test_the_page_moves_by_itself(chromium: Any, address: str, history: Bench) -> None:
    page, said = opened(chromium, address)
    page.wait_for_selector("tbody tr")
    page.wait_for_timeout(1500)
    another()
    page.wait_for_selector("tbody tr:nth-child(4)", timeout=10_000)
    assert said == []


def test_what_people_have_chosen_stays_when_the_page_moves(chromium: Any, address: str) -> None:
    page, said = opened(chromium, address, viewport={"width": 700, "height": 800})
    page.wait_for_timeout(1500)
    page.locator("tbody tr input[name=a]").nth(1).check()
    page.get_by_label("Cluster").select_option(index=1)
    page.evaluate("document.querySelector('.scroll').scrollLeft = 150")
    link = page.locator("tbody th a").nth(2)
    link.focus()
    name = link.text_content()
    another()
    page.wait_for_selector("tbody tr:nth-child(4)", timeout=10_000)
    assert page.evaluate("document.activeElement.textContent") == name
    assert page.evaluate("document.querySelector('.scroll').scrollLeft") == 150
    assert page.locator("tbody tr input[name=a]").nth(2).is_checked()
    assert page.get_by_label("Cluster").input_value() != ""
    page.get_by_label("Person").fill("ann")
    another()
    page.wait_for_timeout(2500)
    assert page.locator("tbody tr").count() == 4  # nothing moves while somebody writes
    page.locator("h1").click()
    page.wait_for_selector("tbody tr:nth-child(5)", timeout=10_000)
    assert page.get_by_label("Person").input_value() == "ann"
    assert said == []


def test_a_hidden_page_has_no_connection(chromium: Any, serving: Serving) -> None:
    page, _ = opened(chromium, serving.address())
    turn = """hidden => { Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange")); }"""
    _until(page, lambda: serving.app.state.listeners == 1)
    page.evaluate(turn, True)
    _until(page, lambda: serving.app.state.listeners == 0)
    another()
    page.evaluate(turn, False)
    page.wait_for_selector("tbody tr:nth-child(4)", timeout=10_000)
    _until(page, lambda: serving.app.state.listeners == 1)


def test_who_was_signed_out_is_told(chromium: Any, serving: Serving) -> None:
    page, _ = opened(chromium, serving.address())
    page.wait_for_timeout(1500)
    serving.door.leave(page.context.cookies()[0]["value"])
    another()
    page.get_by_role("status").get_by_text("signed out: open a new address").wait_for(timeout=10_000)


def test_a_server_that_is_gone_is_told(chromium: Any, serving: Serving) -> None:
    page, _ = opened(chromium, serving.address())
    page.wait_for_timeout(1000)
    serving.stop()
    page.get_by_role("status").get_by_text("not connected since").wait_for(timeout=15_000)


def test_the_keyboard_is_enough(chromium: Any, address: str) -> None:
    page, _ = opened(chromium, address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("button", name="Sign out").press("Enter")
    page.wait_for_selector("text=It works once")
