"""The visual editor in Chromium: an event that nothing sends becomes a lead with a value, without YAML."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.browser.conftest import PASSWORD, STANDARD
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
        "properties": {"currency": "EUR"}
        | ({"total": 50, "order_id": message_id} if name == "Order Completed" else {}),
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
    name = source(page, "Event name")
    name.click()
    name.fill("lead")
    expect(page.locator("#effect")).to_contain_text('"lead"')
    click("summary:has-text('All fields')")
    value = page.get_by_label("Set Value", exact=True)
    value.click()
    value.press("/")
    page.get_by_role("group", name="Value", exact=True).evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    show("value")
    page.get_by_role("listbox", name="Places of the event").get_by_text("quote_value").click()
    clicks += 3
    expect(page.locator("#effect")).to_contain_text('"value": "102"')
    expect(page.locator("#saved")).to_have_text("Saved")
    show("effect")
    click("text=Publish…")
    page.get_by_label("Why").fill("Sales counts quotes as leads.")
    page.evaluate("scrollTo(0, 130)")  # behind the name of the test's folder
    show("publish")
    click("button:text-is('Publish')")
    expect(page.get_by_role("heading", level=1)).to_contain_text("quote")
    assert clicks == 8
    send(workshop, "Quote Requested", "quote-live", 250)
    assert "lead" in delivered(workshop, "quote-live")


def row(page: Page, label: str) -> Locator:
    return page.get_by_role("group", name=label, exact=True)


def source(page: Page, label: str) -> Locator:
    """The first input of a field."""
    return row(page, label).locator("input").first


EDITOR = "/console/preset/edit?file={}.yaml"


def test_the_picker_offers_what_was_seen(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + EDITOR.format("order_completed"))
    page.get_by_text("All fields").click()
    field = page.get_by_label("Set Order ID", exact=True)
    field.click()
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
    expect(source(page, "Order ID")).to_have_value("event")
    expect(row(page, "Order ID").locator(".found")).to_contain_text('"Order Completed"')
    discard(page)


def test_chips_are_added_wrapped_moved_and_removed(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + EDITOR.format("sign_up"))
    text = page.locator("#text")
    page.get_by_text("All fields").click()
    search = page.get_by_label("Set Search string", exact=True)
    search.fill("context.traits.email")
    search.press("Enter")
    expect(text).to_have_value(re.compile(r'search_string: \{"@path": \$.context.traits.email\}'))
    page.get_by_label("Add a source of Search string").fill("none")
    page.get_by_label("Add a source of Search string").press("Enter")
    expect(text).to_have_value(re.compile(r'"@coalesce": \[\{"@path": \$.context.traits.email\}, none\]'))
    second = row(page, "Search string").locator(".chip input").nth(1)
    second.focus()
    second.press("Alt+ArrowLeft")
    expect(text).to_have_value(re.compile(r'"@coalesce": \[none, \{"@path": \$.context.traits.email\}\]'))
    row(page, "Search string").locator(".chip input").nth(1).click()
    page.get_by_label("Function", exact=True).select_option("Upper case")
    expect(text).to_have_value(re.compile(r'"@case": \{operator: upper'))
    row(page, "Search string").locator(".chip input").first.click()
    page.get_by_label("Kind", exact=True).select_option("place")
    expect(text).to_have_value(re.compile(r'"@coalesce": \[\{"@path": \$.none\}'))
    row(page, "Search string").locator(".chip input").first.click()
    page.get_by_role("toolbar").get_by_role("button", name="Remove", exact=True).click()
    expect(text).not_to_have_value(re.compile(r"\$\.none"))
    page.get_by_role("button", name="Search string: change case").click()
    page.get_by_role("button", name="Remove the function").click()
    expect(text).not_to_have_value(re.compile("@case"))
    page.get_by_label("Use the default of Search string").click()
    expect(text).not_to_have_value(re.compile("search_string"))
    discard(page)


def test_the_default_is_customised(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + EDITOR.format("lead"))
    page.get_by_label("Customise Language").click()
    expect(source(page, "Language")).to_have_value("context.locale")
    page.locator("#undo").click()
    expect(page.get_by_label("Customise Language")).to_be_visible()


VALUE: dict[str, str] = {
    "product_viewed": "Product Viewed",
    "add_to_cart": "Product Added",
    "order_completed": "Order Completed",
}


@pytest.mark.parametrize("file", VALUE)
@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_question_11_the_value_of_a_preset_is_changed_and_published(
    workshop: Server, open_page: OpenPage, file: str, way: str
) -> None:
    """By mouse a source is added and moved to the first place with three clicks. The shipped tests still pass."""
    page, clicks = open_page(workshop.url + EDITOR.format(file)), 0
    expect(page.locator("#rows")).not_to_contain_text("in YAML")

    def act(text: str, *, back: bool = False) -> None:
        nonlocal clicks
        button = re.compile(text)
        clicks += 1
        if way == "mouse":
            return page.get_by_label(button).or_(page.get_by_role("button", name=button)).first.click()
        tab_to(page, text, back=back)
        return page.keyboard.press("Enter")

    if file == "order_completed":
        value = page.get_by_label("Customise Value")
        until(lambda: value.is_visible() or not page.reload(), 60, "an event with a value is listed")
        act("^Customise Value$")
        expect(page.get_by_label("Use the default of Value")).to_be_visible()
    count = row(page, "Value").locator(".sources > .chip").count()
    new = f"properties.{way}_value"
    # The default of an order's value has about a hundred sources: the way back is the shorter one.
    act("^Add a source of Value$", back=file == "order_completed")
    page.keyboard.type(new)
    page.keyboard.press("Enter")
    expect(row(page, "Value").locator(".sources > .chip")).to_have_count(count + 1)
    chips = row(page, "Value").locator(".sources > .chip")
    chips.nth(count).locator("> input").focus()
    page.keyboard.press("Alt+ArrowLeft")
    expect(chips.nth(count - 1).locator("> input")).to_have_value(new)
    act("^Publish…$", back=True)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Publish")
    expect(page.locator("main")).to_contain_text(f"$.{new}")
    assert clicks <= 2 + (file == "order_completed")
    page.goto(workshop.url + EDITOR.format(file))
    discard(page)


# What is typed is never lost. ---------------------------------------------------------------------------------------


@pytest.fixture
def tab(workshop: Server, chromium: Browser) -> Iterator[Page]:
    """A page in a context of its own: a failed network is an error on the console of Chromium."""
    context = chromium.new_context(**STANDARD)
    page = context.new_page()
    page.goto(workshop.url + EDITOR.format("lead"))
    expect(page.locator("#saved")).to_have_text("Saved")
    yield page
    context.set_offline(False)
    page = context.new_page()
    page.goto(workshop.url + EDITOR.format("lead"))
    discard(page)
    context.close()


def discard(page: Page) -> None:
    page.locator("#yaml > summary").click()
    page.get_by_role("button", name="Discard the draft").click()
    expect(page.locator("#undo")).to_be_disabled()


def type_name(page: Page, text: str) -> None:
    field = source(page, "Partner name") if row(page, "Partner name").count() else source(page, "Event name")
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def test_typed_text_is_stored_within_a_second_and_survives_a_reload(tab: Page) -> None:
    type_name(tab, "sign")
    tab.reload()  # at once
    expect(tab.locator("#saved")).to_have_text("Saved")
    expect(tab.locator("#text")).to_have_value(re.compile("event_name: sign\n"))
    type_name(tab, "signup")
    expect(tab.locator("#saved")).to_have_text("Saved")
    expect(tab.locator("#undo")).to_contain_text("map event_name")


def test_without_a_network_the_text_is_kept_and_stored_later(workshop: Server, tab: Page) -> None:
    tab.context.set_offline(True)
    type_name(tab, "signup")
    expect(tab.locator("#saved")).to_contain_text("Not saved: no connection")
    tab.get_by_role("button", name="Publish…").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Edit")  # it stops
    expect(source(tab, "Event name")).to_have_value("signup")
    other = tab.context.new_page()
    tab.close()
    tab.context.set_offline(False)
    other.goto(workshop.url + EDITOR.format("lead"))
    expect(other.locator("#saved")).to_have_text("Saved")
    expect(other.locator("#text")).to_have_value(re.compile("event_name: signup"))


def test_two_windows_change_one_draft(workshop: Server, open_page: OpenPage) -> None:
    first, second = (open_page(workshop.url + EDITOR.format("sign_up")) for _ in range(2))
    for page, label in ((first, "Partner name"), (second, "Search string")):
        page.get_by_text("All fields").click()
        page.get_by_label(f"Set {label}", exact=True).fill("properties.x")
        page.get_by_label(f"Set {label}", exact=True).press("Enter")
        expect(page.locator("#saved")).to_have_text("Saved")
    expect(second.locator("#text")).to_have_value(re.compile("partner_name.*search_string", re.DOTALL))
    discard(second)


def test_text_that_was_typed_while_the_session_ended_is_stored_after_the_login(
    locked: Server, chromium: Browser
) -> None:
    context = chromium.new_context(**STANDARD)
    page = context.new_page()

    def log_in() -> None:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()

    page.goto(locked.url + EDITOR.format("lead"))
    log_in()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Edit")
    expect(page.locator("#saved")).to_have_text("Saved")
    context.clear_cookies()
    type_name(page, "signup")
    expect(page.locator("#saved")).to_contain_text("Not saved: your session ended")
    page.locator("#saved").get_by_role("link", name="Log in").click()
    log_in()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Edit")
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#text")).to_have_value(re.compile("event_name: signup"))
    context.close()


def test_a_draft_is_sent_as_a_test(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(workshop.url + "/console/preset/edit?file=order_completed.yaml")
    page.get_by_role("button", name="Send as a test to the sandbox").click()
    expect(page.locator("#answer")).to_contain_text("Answer 200")


def tab_to(page: Page, label: str, *, back: bool = False) -> None:
    """Walk by the tab key until the element with this name is reached."""
    for _ in range(400):
        page.keyboard.press("Shift+Tab" if back else "Tab")
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
    tab_to(page, "^Event name: constant")
    page.keyboard.press("Control+A")
    page.keyboard.type("lead")
    expect(page.locator("#effect")).to_contain_text('"lead"')
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_have_text("Saved")
    page.locator("main").focus()
    page.keyboard.press("Control+z")
    expect(page.locator("#redo")).to_have_text("Redo: map event_name")
    page.locator("main").focus()
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("#undo")).to_have_text("Undo: map event_name")
    tab_to(page, "^All fields")
    page.keyboard.press("Enter")
    tab_to(page, "^Set Value$")
    page.keyboard.press("/")
    page.keyboard.type("quote")
    page.keyboard.press("Enter")
    expect(page.locator("#effect")).to_contain_text('"value": "1')
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_have_text("Undo: map custom_data.value")
    tab_to(page, "^Publish…$", back=True)
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
