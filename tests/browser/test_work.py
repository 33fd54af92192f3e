"""What people do in the console, in a real browser before the real server."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, VIEWER
from tests.process import PLAIN, Server
from tests.waiting import until

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]


def post_page_view(server: Server, message_id: str) -> None:
    event = {
        "type": "page",
        "messageId": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"url": "https://shop.example/"},
        "context": {"traits": {"email": "eva@example.com"}},
    }
    httpx.post(f"{server.url}/webhook", json=event, **PLAIN).raise_for_status()


def sandbox(server: Server, path: str) -> httpx.Response:
    return httpx.get(f"{server.url}/sandbox{path}", **PLAIN).raise_for_status()


def log_in(page: Page) -> None:
    page.get_by_label("Password or token").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


class TestTester:
    def test_what_is_edited_is_judged_without_a_click(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/tester")
        page.get_by_role("button", name="Checkout", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("1 delivery to Pinterest: Checkout.")

        event = page.get_by_label("Segment event")
        event.fill(event.input_value().replace('"Checkout"', '"Basket Emptied"'))
        expect(page.get_by_role("status"), "the effect shows without a click").to_contain_text("No preset matches")
        expect(page.locator("details", has_text='event = "Checkout"').first).to_contain_text('"Basket Emptied"')

        event.fill("{")
        expect(page.get_by_role("alert")).to_contain_text("This is not JSON: line 1, column 2")

    def test_each_field_shows_its_path_its_value_and_its_digest(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/tester?example=Checkout")
        row = page.get_by_role("row", name="user_data/email")
        expect(row).to_contain_text("context.traits.email")
        expect(row).to_contain_text("ada.miller@example.com")
        expect(row).to_contain_text(re.compile("[0-9a-f]{64}"))

    def test_a_draft_shows_its_effect_and_its_faults_and_changes_nothing(
        self, busy: Server, open_page: OpenPage
    ) -> None:
        page = open_page(f"{busy.url}/console/tester?example=Checkout")
        page.get_by_label("Try a change").select_option(label="presets/lead.yaml")
        draft = page.get_by_label("Draft of presets/lead.yaml")
        expect(draft).to_have_value(re.compile("name: Lead"))
        text = draft.input_value()

        draft.fill(text.replace('event = "Generate Lead"', 'event = "Checkout"'))
        expect(page.get_by_role("status")).to_contain_text("2 deliveries to Pinterest: Checkout, Lead.")

        draft.fill(text.replace('event = "Generate Lead"', "event = Checkout"))
        expect(page.get_by_role("alert")).to_contain_text("The draft cannot be used. 1 fault:")
        expect(page.get_by_role("alert")).to_contain_text("/subscribe")

        page.get_by_role("button", name="Start over").click()
        expect(draft).to_have_value(text)
        expect(page.get_by_role("status")).to_contain_text("1 delivery to Pinterest: Checkout.")

    def test_a_test_event_is_checked_and_not_recorded(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/tester?example=Checkout")
        page.get_by_role("button", name="Send as a test").click()
        expect(page.locator("#answer")).to_contain_text("Answer 200")
        expect(page.get_by_role("button", name="Send as a test")).to_be_focused()
        newest = sandbox(busy, "/calls").json()[0]
        assert newest["test"]
        assert newest["recorded"] == 0

    def test_nothing_of_the_event_is_logged(self, fresh: Server, open_page: OpenPage) -> None:
        page = open_page(f"{fresh.url}/console/tester?example=Checkout")
        page.get_by_label("Segment event").fill('{"type": "track", "event": "unmistakable"}')
        expect(page.get_by_role("status")).to_contain_text("No preset matches")
        assert '"event":"request"' in fresh.log
        assert "unmistakable" not in fresh.log

    def test_what_was_typed_survives_leaving_the_page_and_can_be_put_away(
        self, busy: Server, open_page: OpenPage
    ) -> None:
        page = open_page(f"{busy.url}/console/tester")
        page.get_by_label("Segment event").fill('{"type": "track", "event": "Typed By Hand"}')
        expect(page.locator("#result").get_by_role("status")).to_contain_text("No preset matches")
        page.goto(f"{busy.url}/console")
        page.get_by_role("link", name="Event tester").click()
        expect(page.get_by_text("Your text of this tab is back.")).to_be_visible()
        expect(page.get_by_label("Segment event")).to_have_value(re.compile("Typed By Hand"))
        page.get_by_role("link", name="Begin anew").click()
        expect(page.get_by_label("Segment event")).not_to_have_value(re.compile("Typed By Hand"))
        page.goto(f"{busy.url}/console/tester")
        expect(page.get_by_label("Segment event")).not_to_have_value(re.compile("Typed By Hand"))

    def test_what_was_typed_survives_a_server_that_does_not_answer(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/tester")
        event = page.get_by_label("Segment event")
        # what the browser says of a real failure would count as a complaint of the page
        page.evaluate("() => { window.online = window.fetch; window.fetch = () => Promise.reject(new TypeError()); }")
        event.fill('{"type": "track", "event": "Typed Offline"}')
        expect(page.get_by_text("The server does not answer.")).to_be_visible()
        page.evaluate("() => { window.fetch = window.online; }")
        event.fill('{"type": "track", "event": "Typed Online"}')
        expect(page.get_by_text("The server does not answer.")).to_be_hidden()
        expect(event).to_have_value(re.compile("Typed Online"))

    @pytest.mark.parametrize("length", [1_200_000, 6_000_000], ids=["too long to send", "too long to keep in the tab"])
    def test_what_is_too_long_stays_in_its_field_and_bars_nobody_from_the_page(
        self, length: int, busy: Server, chromium: Browser
    ) -> None:
        page = chromium.new_context().new_page()  # its refusal would count as a complaint of the page
        page.goto(f"{busy.url}/console/tester")
        event = page.get_by_label("Segment event")
        event.fill(f'{{"type": "track", "event": "{"x" * length}"}}')
        expect(page.get_by_role("alert")).to_have_text(
            "Up to 1,000,000 bytes can be sent at once. Paste a single event."
        )
        expect(event).to_have_value(re.compile("xxx"))
        page.goto(f"{busy.url}/console/tester")
        expect(page.get_by_role("heading", name="Event tester")).to_be_visible()
        event.fill('{"type": "track", "event": "Typed By Hand"}')
        expect(page.locator("#result").get_by_role("status")).to_contain_text("No preset matches")
        expect(page.get_by_role("alert")).to_be_hidden()
        page.context.close()

    def test_what_was_typed_survives_a_session_that_ends_and_not_a_log_out(
        self, locked: Server, open_page: OpenPage
    ) -> None:
        page = open_page(f"{locked.url}/console/tester")
        log_in(page)
        event = page.get_by_label("Segment event")
        expect(event).to_be_visible()
        page.context.clear_cookies()
        event.fill('{"type": "track", "event": "Typed Late"}')
        log_in(page)
        page.get_by_role("link", name="Event tester", exact=True).click()
        expect(page.get_by_label("Segment event")).to_have_value(re.compile("Typed Late"))
        page.get_by_role("button", name="Log out").click()
        page.goto(f"{locked.url}/console/tester")
        log_in(page)
        expect(page.get_by_label("Segment event")).not_to_have_value(re.compile("Typed Late"))

    def test_it_works_without_scripts(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/tester", java_script_enabled=False)
        page.get_by_role("button", name="Sign Up", exact=True).click()
        page.get_by_role("button", name="Test this event").click()
        expect(page.get_by_role("status")).to_contain_text("1 delivery to Pinterest: Sign Up.")
        page.get_by_label("Try a change").select_option(label="presets/lead.yaml")
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.get_by_label("Draft of presets/lead.yaml")).to_have_value(re.compile("name: Lead"))


class TestRedrive:
    def test_one_delivery_is_redriven_then_those_that_a_filter_finds(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/deliveries?state=dead")
        page.locator('tbody a[href*="/console/delivery?"]').first.click()
        page.get_by_role("button", name="Redrive").click()
        expect(page.get_by_role("status")).to_contain_text("It will be sent again.")
        until(lambda: self._reloaded(page, "Pinterest took it."), what="it is delivered")
        rows = page.get_by_role("region", name="Attempts").get_by_role("row")
        expect(rows).to_have_count(3)  # its head, the rejection, the delivery

        page.goto(f"{busy.url}/console/deliveries?reason=currency")
        page.get_by_role("link", name="Redrive the dead ones found…").click()
        expect(page.get_by_text("reason contains “currency”")).to_be_visible()
        page.get_by_role("button", name=re.compile(r"^Redrive [\d,]+$")).click()
        expect(page.get_by_role("status")).to_contain_text(
            re.compile(r"^\s*\d+ dead deliver(y|ies) will be sent again")
        )
        page.goto(f"{busy.url}/console/deliveries/redrive")
        expect(page.get_by_text("There is no dead delivery.")).to_be_visible()

    def _reloaded(self, page: Page, text: str) -> bool:
        page.goto(page.url)
        return page.get_by_text(text).is_visible()


class TestMappings:
    def test_a_switch_stops_a_preset_within_two_seconds(self, fresh: Server, open_page: OpenPage) -> None:
        page = open_page(f"{fresh.url}/console/mappings")
        page.get_by_role("button", name="Switch off Lead").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Switched off.")
        page.get_by_role("button", name="Switch on Lead").press("Enter")
        expect(page.get_by_role("button", name="Switch off Lead")).to_be_visible()

    def test_sending_is_switched_off_in_two_steps(self, fresh: Server, open_page: OpenPage) -> None:
        page = open_page(f"{fresh.url}/console/mappings")
        page.get_by_text("Switch sending off…").click()
        page.get_by_role("button", name="Switch all sending off").click()
        expect(page.get_by_role("button", name="Switch sending on")).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        expect(page.locator("#part-needs").get_by_text("Sending is switched off.")).to_be_visible()
        page.get_by_role("link", name="Presets").click()
        page.get_by_role("button", name="Switch sending on").click()
        expect(page.get_by_text("Switch sending off…")).to_be_visible()

    def test_the_files_are_read_again(self, fresh: Server, open_page: OpenPage) -> None:
        page = open_page(f"{fresh.url}/console/mappings")
        page.get_by_role("button", name="Reload the files").click()
        expect(page.get_by_role("status")).to_contain_text("The files were read again and are in use.")
        expect(page.get_by_role("cell", name="this catalog")).to_be_visible()


class TestPeople:
    def test_what_somebody_did_stands_under_activity(self, locked: Server, open_page: OpenPage) -> None:
        page = open_page(f"{locked.url}/console/mappings")
        page.get_by_label("Password or token").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Switch off Checkout", exact=True).click()
        page.get_by_role("link", name="Activity").click()
        newest = page.get_by_role("region", name="Activity").locator("tbody tr").first
        for text in ("console", "127.0.0.1", "switched", "preset Checkout", "on", "off"):
            expect(newest).to_contain_text(text)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()

    def test_a_viewer_sees_who_they_are_and_nothing_to_change(self, locked: Server, open_page: OpenPage) -> None:
        page = open_page(f"{locked.url}/console/mappings")
        page.get_by_label("Password or token").fill(VIEWER)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("contentinfo")).to_contain_text("bob viewer")
        expect(page.get_by_role("heading", name="Presets")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("Switch|Reload"))).to_have_count(0)
        page.get_by_role("link", name="Event tester").click()
        expect(page.get_by_role("heading", name="What Pinterest gets").first).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("Send as a test"))).to_have_count(0)


class TestOverview:
    def test_it_refreshes_itself_and_keeps_focus_and_what_is_open(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/mappings")
        page.clock.install()
        page.goto(f"{busy.url}/console")
        figure = page.locator("#part-flow h3 .n").first
        before = figure.inner_text()
        table = page.get_by_text("The same as a table")
        expect(table, "the first frame leaves it out, and so does the focus").to_be_visible()
        table.press("Enter")
        post_page_view(busy, f"refresh-{time.time()}")
        page.clock.fast_forward(11_000)
        expect(figure).not_to_have_text(before)
        expect(table).to_be_focused()
        expect(page.get_by_role("region", name="Counts over time")).to_be_visible()

        page.get_by_role("button", name="Auto-refresh: on").click()
        now = figure.inner_text()
        post_page_view(busy, f"paused-{time.time()}")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.clock.fast_forward(30_000)
        assert (asked, figure.inner_text()) == ([], now)

    def test_the_first_command_works_as_it_stands(self, fresh: Server, open_page: OpenPage) -> None:
        page = open_page(f"{fresh.url}/console")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("[data-copy=curl]").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        command = page.evaluate("navigator.clipboard.readText()")
        assert command.startswith("curl ")

    def test_a_bar_of_the_chart_leads_to_the_events_behind_it(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console")
        bar = page.locator("#part-chart svg a").nth(3)
        bar.locator("rect").first.hover()
        expect(page.locator("#part-chart .under")).to_contain_text(re.compile(r"\d+ delivered"))
        bar.locator("rect").first.click()
        expect(page).to_have_url(re.compile(r"deliveries\?since=\d+&until=\d+$"))
        expect(page.get_by_role("region", name="Deliveries").locator("tbody tr").first).to_be_visible()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """The address of another site on this machine, with an empty page."""
    (tmp_path / "index.html").write_text("<!doctype html><link rel=icon href=data:,>", encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_of_another_site_reaches_nothing(fresh: Server, elsewhere: str, chromium: Browser) -> None:
    posted = ["/webhook", "/v1/page", "/sandbox/script", "/console/mappings/switch"]
    asked = ["/sandbox/events", "/metrics", "/readyz", "/console/deliveries", "/openapi.json", "/api/v1/status"]
    before = sandbox(fresh, "/").json()["received"]
    answers: dict[str, int] = {}
    page = chromium.new_context().new_page()
    page.on("response", lambda answer: answers.update({answer.url.removeprefix(fresh.url): answer.status}))
    page.goto(elsewhere)
    answers.clear()
    body = '{"type": "page", "context": {"traits": {"email": "eva@example.com"}}}'
    for paths, options in ((posted, {"method": "POST", "body": body}), (asked, {})):
        page.evaluate(
            "([base, paths, options]) => "
            "Promise.allSettled(paths.map((path) => fetch(base + path, {mode: 'no-cors', ...options})))",
            [fresh.url, paths, options],
        )
    page.context.close()
    assert answers == dict.fromkeys([*posted, *asked], 403)
    assert sandbox(fresh, "/").json()["received"] == before


def test_the_theme_that_was_chosen_is_kept(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    dark = page.evaluate(background)
    assert dark != light
    page.goto(f"{busy.url}/console/mappings")
    assert page.evaluate(background) == dark
    page.get_by_role("button", name="Theme: dark").click()
    assert page.evaluate(background) == light


def test_the_keyboard_reaches_the_content_first(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_times_are_those_of_the_reader_or_of_utc_as_he_chooses(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries", timezone_id="America/New_York")
    zone, time_shown = page.locator("#zone"), page.locator("tbody time").first
    expect(zone).to_have_text("America/New_York")
    time_shown.hover()
    expect(time_shown).to_have_attribute("title", re.compile(r"^\d.*:.*, \d.* UTC$"))
    expect(time_shown).to_have_text(re.compile(r"^\d+ (second|minute|hour|day)s? ago$"))
    page.get_by_role("button", name="Show UTC").click()
    for _ in range(2):
        expect(zone).to_have_text("UTC")
        time_shown.hover()
        expect(time_shown).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"))
        page.reload()  # the browser remembers it
    page.get_by_role("button", name="Show America/New_York").click()
    time_shown.hover()
    expect(time_shown).to_have_attribute("title", re.compile(r"^\d.*:.*, \d.* UTC$"))


def test_times_are_told_in_the_language_of_the_page(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console", timezone_id="America/New_York", locale="de-DE")
    time_shown = page.locator("#part-answers time").first
    expect(time_shown).to_have_text(re.compile(r"^\d+ (second|minute|hour|day)s? ago$"))
    time_shown.hover()
    expect(time_shown).to_have_attribute("title", re.compile(r"^\d+ [A-Z][a-z]+ \d{4}, "))


def test_without_scripts_times_are_those_of_utc_and_it_says_so(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries", timezone_id="America/New_York", java_script_enabled=False)
    expect(page.locator("footer")).to_contain_text("Times are UTC")
    expect(page.locator("#other-zone")).to_be_hidden()
    expect(page.locator("tbody time").first).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"))


class TestInventory:
    def test_a_name_that_no_preset_takes_becomes_a_draft_that_takes_it(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console/inventory")
        row = page.get_by_role("row", name="order completed").filter(has_text="upper and lower case")
        expect(row).to_contain_text("matched no preset")
        row.get_by_role("link", name="order completed").click()
        expect(page.get_by_role("heading", name="order completed", exact=True)).to_be_visible()
        page.get_by_role("link", name="Draft a preset for it").click()
        expect(page.get_by_role("status")).to_contain_text("1 delivery to Pinterest: order completed.")
        draft = page.get_by_label("Draft of")
        draft.fill(draft.input_value().replace("event_name: checkout", "event_name: lead"))
        expect(page.locator("details[open] .code").first).to_contain_text('"event_name": "lead"')


class TestFilter:
    def test_a_choice_applies_at_once_and_goes_along_to_other_pages(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console")
        page.locator(".span summary").click()
        page.get_by_label("7 days", exact=True).check()
        expect(page).to_have_url(f"{busy.url}/console?period=week")
        expect(page.locator(".span summary")).to_be_focused()
        expect(page.locator("#part-flow")).to_contain_text("in the last 7 days")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Revenue").click()
        expect(page).to_have_url(f"{busy.url}/console/revenue?period=week")
        expect(page.locator(".span summary")).to_have_text("Period: 7 days")

    def test_a_choice_by_keys_waits_for_the_button(self, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console")
        expect(page.get_by_role("button", name="Apply")).to_be_hidden()
        page.locator(".span summary").press("Enter")
        page.locator("[name=period]:checked").press("ArrowDown")
        expect(page.locator("[name=period]:checked")).to_have_value("hour")
        page.get_by_role("button", name="Apply").press("Enter")
        expect(page).to_have_url(f"{busy.url}/console?period=hour")

    @pytest.mark.parametrize("how", ["Escape", "click"])
    def test_escape_and_a_click_elsewhere_close_its_menu(self, how: str, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console")
        page.locator(".span summary").click()
        expect(page.get_by_label("yesterday", exact=True)).to_be_visible()
        if how == "Escape":
            page.keyboard.press(how)
        else:
            page.locator("#zone").click()
        expect(page.get_by_label("yesterday", exact=True)).to_be_hidden()

    @pytest.mark.parametrize(
        ("path", "controls"),
        [
            ("", {"period", "against"}),
            ("/inventory", {"period"}),
            ("/mappings", set()),
            ("/deliveries?order_id=SO-1-1", set()),
        ],
    )
    def test_it_has_the_controls_that_the_page_uses(
        self, path: str, controls: set[str], busy: Server, open_page: OpenPage
    ) -> None:
        page = open_page(f"{busy.url}/console{path}")
        shown = page.locator("#chosen :is(select, input:not([type=hidden]))")
        assert {each.get_attribute("name") for each in shown.all()} == controls

    @pytest.mark.parametrize("width", [1_440, 768, 390])
    def test_it_stays_in_sight_in_one_row(self, width: int, busy: Server, open_page: OpenPage) -> None:
        page = open_page(f"{busy.url}/console?period=week&against=week", viewport={"width": width, "height": 800})
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.locator(".span summary")).to_be_in_viewport(ratio=1)
        height = page.evaluate("document.getElementById('chosen').offsetHeight")
        assert height < 2 * page.evaluate("document.querySelector('.span summary').offsetHeight")
        page.locator(".span summary").click()
        expect(page.locator(".span .menu")).to_be_in_viewport(ratio=1)
