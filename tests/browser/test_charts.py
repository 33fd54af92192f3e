"""Charts in a real browser: all values of a step, a dragged span, parts that are left out, and marks on the axis."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_look import check
from tests.process import PLAIN, Server

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]


def test_a_chart_says_what_a_step_holds_and_a_drag_lists_a_span(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console?period=day")
    chart = page.locator(".stacked").first
    bars = chart.locator("svg a")
    bars.nth(5).hover()
    told = chart.locator(".under")
    expect(told).to_contain_text(re.compile(r"\d delivered"))
    expect(told).to_contain_text("withheld")
    step_s = _span(bars.nth(5).get_attribute("href") or "")
    first, last = bars.nth(4).bounding_box(), bars.nth(8).bounding_box()
    assert first
    assert last
    line = chart.locator("svg").first.bounding_box()
    assert line
    page.mouse.move(first["x"] + first["width"] / 2, line["y"] + 20)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 2, line["y"] + 20, steps=4)
    expect(told).to_contain_text("5 steps")
    page.mouse.up()
    expect(page).to_have_url(re.compile("/console/deliveries"))
    assert _span(page.url) == 5 * step_s


def _span(address: str) -> int:
    given = parse_qs(urlsplit(address).query)
    return int(given["until"][0]) - int(given["since"][0])


def test_the_legend_leaves_parts_out_and_the_others_stand_on_the_ground(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console?period=day")
    section = page.locator("section", has=page.locator(".stacked")).first
    parts = section.locator(".stacked svg a rect:not([hidden])")
    before = parts.count()
    toggle = section.get_by_role("button", name="delivered")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "false")
    assert 0 < parts.count() < before
    ground = "(all) => all.every((bar) => [...bar.querySelectorAll('rect:not([hidden])')].slice(0, 1)"
    ends = ".every((part) => Math.abs(Number(part.getAttribute('y')) + Number(part.getAttribute('height')) - 200) < 1))"
    assert section.locator(".stacked svg a").evaluate_all(ground + ends)
    toggle.click()
    expect(parts).to_have_count(before)


def test_what_somebody_switched_is_a_mark_on_the_axis(busy: Server, open_page: OpenPage) -> None:
    for on in (False, True):
        body = {"on": on, "preset": "Search"}
        httpx.post(f"{busy.url}/api/v1/switch", json=body, **PLAIN).raise_for_status()
    page = open_page(f"{busy.url}/console?period=day")
    expect(page.locator(".marks .act")).to_have_count(2)
    expect(page.locator(".marked")).to_contain_text("switched preset Search off")
    check(page)


def test_revenue_begins_with_one_number_and_a_chart(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/revenue")
    euros = page.locator("#EUR")
    expect(euros.locator(".figure")).to_contain_text("each counted once")
    euros.locator(".stacked svg a").first.hover()
    expect(euros.locator(".under")).to_contain_text("sent")
    check(page)
