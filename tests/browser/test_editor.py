"""The visual editor in Chromium: an event that nothing sends becomes a lead with a value, without YAML."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FloatRect, Page, expect

from tests.browser.test_look import LOOKS, check
from tests.process import PLAIN, ROOT, Server, running
from tests.waiting import until

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a folder of presets of one's own, where some events of each name are kept."""
    folder = tmp_path_factory.mktemp("workshop")
    own = folder / "mine"
    (own / ".versions").mkdir(parents=True)
    with running(
        folder,
        presets_dir=f"{ROOT / 'presets'},{own}",
        quarantine_key="a key of the quarantine, long enough",
        samples_per_name="20",
    ) as server:
        for name in ("Quote Requested", "Demo Booked", "Order Completed"):
            for number in range(3):
                send(server, name, f"{name}-{number}", 100 + number)
        yield server


def send(server: Server, name: str, message_id: str, value: int) -> None:
    event = {
        "type": "track",
        "event": name,
        "messageId": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"currency": "EUR"},
        "context": {"traits": {"email": "eva@example.com", "quote_value": value}},
    }
    httpx.post(f"{server.url}/webhook", json=event, **PLAIN).raise_for_status()


def delivered(server: Server, message_id: str) -> str:
    """The page of a message."""
    return httpx.get(f"{server.url}/console/message", params={"id": message_id}, follow_redirects=True).text


def test_by_mouse_an_event_becomes_a_lead_with_a_value(
    workshop: Server, open_page: OpenPage, screenshots: Path | None
) -> None:
    page, clicks = open_page(workshop.url + "/console/inventory", viewport={"width": 1_024, "height": 600}), 0

    def click(what: str) -> None:
        nonlocal clicks
        page.locator(what).first.click()
        clicks += 1

    until(lambda: page.reload() and page.locator("a:text-is('Quote Requested')").count(), 60, "the name is listed")

    def show(name: str) -> None:
        if screenshots:
            clip: FloatRect = {"x": 216, "y": 52, "width": 808, "height": 548}
            page.screenshot(path=screenshots / f"question-11-{name}.png", clip=clip)

    click("a:text-is('Quote Requested')")
    show("event")
    click("text=Make a preset for it")
    name = page.get_by_role("form", name="Event name", exact=True)
    name.get_by_label("Value of Event name").fill("lead")
    expect(page.locator("#effect")).to_contain_text('"lead"')
    name.get_by_role("button", name="Apply").click()
    expect(page.locator("#undo")).to_have_text("Undo: map event_name")
    click("summary:has-text('Order and products')")
    value = page.get_by_role("form", name="Value", exact=True)
    value.get_by_label("Where Value comes from").select_option("path")
    field = value.get_by_role("combobox", name="Value of Value")
    field.press("/")
    field.press_sequentially("quote")
    value.evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    show("value")
    page.get_by_role("listbox", name="Places of the event").get_by_role("option").first.click()
    expect(page.locator("#effect")).to_contain_text('"value": "102"')
    value.get_by_role("button", name="Apply").click()
    expect(page.locator("#undo")).to_have_text("Undo: map custom_data.value")
    show("effect")
    clicks += 6
    click("text=Publish…")
    page.get_by_label("Why").fill("Sales counts quotes as leads.")
    page.evaluate("scrollTo(0, 130)")  # behind the name of the test's folder
    show("publish")
    click("button:text-is('Publish')")
    expect(page.get_by_role("heading", level=1)).to_contain_text("quote")
    assert clicks <= 12
    send(workshop, "Quote Requested", "quote-live", 250)
    assert "lead" in delivered(workshop, "quote-live")


def test_the_picker_offers_what_was_seen_and_a_function_shows_before_and_after(
    workshop: Server, open_page: OpenPage
) -> None:
    page = open_page(workshop.url + "/console/preset/edit?file=order_completed.yaml")
    page.locator("summary:has-text('Order and products')").click()
    row = page.get_by_role("form", name="Order ID", exact=True)
    row.get_by_label("Where Order ID comes from").select_option("path")
    field = row.get_by_role("combobox", name="Value of Order ID")
    field.press("/")
    options = page.get_by_role("listbox", name="Places of the event").get_by_role("option")
    expect(options.first).to_contain_text("100 %")
    field.press_sequentially("eva@")  # a value is found, too
    expect(options).to_have_count(1)
    expect(options).to_contain_text("context.traits.email")
    check(page)
    page.set_viewport_size(LOOKS["light"]["viewport"])
    field.press("Escape")
    expect(options).to_have_count(0)
    field.press("/")
    field.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("ArrowUp")
    expect(options.first).to_have_attribute("aria-selected", "true")
    field.press_sequentially("event")
    expect(options).to_have_count(1)
    field.press("Enter")
    expect(field).to_have_value("event")
    expect(row.locator(".found")).to_contain_text('"Order Completed"')
    field.press("Enter")  # the field is applied now
    expect(page.locator("#undo")).to_have_text("Undo: map custom_data.order_id")
    row.get_by_label("What is done with Order ID").select_option("lower")
    expect(row.locator(".found")).to_contain_text('"Order Completed" → "order completed"')
    row.get_by_label("What is done with Order ID").select_option("behind")
    row.get_by_label("Text or number for Order ID").fill("Order ")
    expect(row.locator(".found")).to_contain_text('"Order Completed" → "Completed"')
    row.get_by_role("button", name="Apply").click()
    expect(page.locator("#text")).to_have_value(re.compile('"@prefixed"'))


def test_a_draft_is_sent_as_a_test(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + "/console/preset/edit?file=order_completed.yaml")
    page.get_by_role("button", name="Send as a test to the sandbox").click()
    expect(page.locator("#answer")).to_contain_text("Answer 200")


def tab_to(page: Page, label: str) -> None:
    """Walk by the tab key until what has this name is reached."""
    for _ in range(400):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(() => { const at = document.activeElement; const label = at.labels?.[0]?.textContent ?? '';"
            " return (at.getAttribute('aria-label') ?? (label || at.textContent)).trim(); })()"
        )
        if re.search(label, name):
            return
    pytest.fail(f"no key leads to {label}")


def test_by_keyboard_alone_a_preset_is_made_and_taken_back(workshop: Server, open_page: OpenPage) -> None:
    address = workshop.url + "/console/inventory/name?source=default&type=track&name=Demo+Booked"
    until(lambda: httpx.get(address).is_success, 60, "the name is listed")
    page = open_page(address)
    tab_to(page, "^Make a preset for it$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("New preset")
    tab_to(page, "^Value of Event name$")
    page.keyboard.press("Control+A")
    page.keyboard.type("lead")
    expect(page.locator("#effect")).to_contain_text('"lead"')
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_have_text("Undo: map event_name")
    page.locator("main").focus()
    page.keyboard.press("Control+z")
    expect(page.locator("#redo")).to_have_text("Redo: map event_name")
    page.locator("main").focus()
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("#undo")).to_have_text("Undo: map event_name")
    tab_to(page, "^Order and products")
    page.keyboard.press("Enter")
    tab_to(page, "^Where Value comes from")
    page.keyboard.press("ArrowDown")  # a value of the event
    page.keyboard.press("/")
    page.keyboard.type("quote")
    page.keyboard.press("Enter")
    expect(page.locator("#effect")).to_contain_text('"value": "1')
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_have_text("Undo: map custom_data.value")
    tab_to(page, "^Publish…$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Publish")
    expect(page.get_by_role("region", name="What changes, in words")).to_contain_text("$.context.traits.quote_value")
    check(page)  # and on at the width of a phone
    tab_to(page, "^Why$")
    page.keyboard.type("Demos are leads.")
    tab_to(page, "^Publish$")
    page.keyboard.press("Enter")
    send(workshop, "Demo Booked", "demo-live", 10)
    assert "lead" in delivered(workshop, "demo-live")


def test_keys_walk_the_real_events_and_keep_one_as_a_test(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + "/console/preset/edit?file=order_completed.yaml")
    expect(page.locator("#takes")).to_contain_text("Takes 3 of ")
    page.locator("main").focus()
    page.keyboard.press("j")
    page.wait_for_url(re.compile("sample="))
    second = page.url
    page.locator("main").focus()
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != second)
    page.locator("main").focus()
    page.keyboard.press("k")
    page.wait_for_url(second)
    page.locator("main").focus()
    page.keyboard.press("p")
    expect(page.locator("#undo")).to_have_text("Undo: add a test")
    expect(page.locator("#text")).to_have_value(re.compile("Recorded: Order Completed"))


@pytest.mark.parametrize("path", ["preset/edit?file=order_completed.yaml", "preset?name=Order+Completed"])
def test_the_pages_keep_to_the_look(workshop: Server, open_page: OpenPage, path: str) -> None:
    check(open_page(f"{workshop.url}/console/{path}"))
