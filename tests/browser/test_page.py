"""What a person sees and does in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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
    seen("deployments")
    page.locator("tbody tr input[name=a]").nth(1).check()
    page.locator("tbody tr input[name=b]").nth(0).check()
    page.get_by_role("button", name="Compare the two chosen").click()
    page.wait_for_selector(".diff")
    seen("compare")
    page.go_back()
    page.locator("tbody th a").nth(0).click()
    page.wait_for_selector("svg .bar")
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
    data = dict.fromkeys(("cluster", "namespace", "app_config_dir", "config_file_path", "command"), "x")
    page.wait_for_timeout(1500)
    database = DeploymentDatabase()
    database.create_deployment({**data, "config_snapshot": {}})
    database.close()
    page.wait_for_selector("tbody tr:nth-child(4)", timeout=10_000)
    assert said == []


def test_the_keyboard_is_enough(chromium: Any, address: str) -> None:
    page, _ = opened(chromium, address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("button", name="Sign out").press("Enter")
    page.wait_for_selector("text=It works once")
