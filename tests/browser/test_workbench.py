"""From a name that nothing sends to a preset that runs, the events that were kept sent after all, and the way back."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.process import PLAIN, ROOT, Server, running
from tests.waiting import until

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]
#: Elements that are hidden, but take room on the page.
SEEN_THOUGH_HIDDEN = (
    "[...document.querySelectorAll('[hidden]')].filter((each) => each.getClientRects().length).map(String)"
)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a folder of presets of one's own, where unmatched purchases are kept."""
    folder = tmp_path_factory.mktemp("workshop")
    own = folder / "mine"
    (own / ".versions").mkdir(parents=True)
    with running(
        folder,
        measured=True,
        presets_dir=f"{ROOT / 'presets'},{own}",
        quarantine_hours="72",
        quarantine_key="a key of the quarantine, long enough",
        quarantine_names="Purchase",
    ) as server:
        yield server


def post_purchase(server: Server, message_id: str) -> None:
    event = {
        "type": "track",
        "event": "Purchase",
        "messageId": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"order_id": f"SO-{message_id}", "total": 12.5, "currency": "EUR"},
        "context": {"traits": {"email": "eva@example.com"}},
    }
    httpx.post(f"{server.url}/webhook", json=event, **PLAIN).raise_for_status()


def test_an_unmatched_name_becomes_a_preset_and_what_was_kept_of_it_is_sent(
    workshop: Server, open_page: OpenPage
) -> None:
    message_id = f"m-{time.time()}"
    post_purchase(workshop, message_id)
    page = open_page(f"{workshop.url}/console/inventory")
    until(lambda: _shows(page, "Purchase"), what="the name stands in the inventory")
    page.get_by_role("link", name="Purchase", exact=True).first.click()
    page.get_by_role("link", name=re.compile("draft|preset", re.IGNORECASE)).last.click()
    expect(page.get_by_label(re.compile("^Draft of"))).to_have_value(re.compile("Purchase"))

    page.get_by_role("button", name="Publish this draft…").click()
    expect(page.get_by_text("1 event in quarantine, mapped by what runs and by this:")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("unmatched enqueued 1$"))).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Published, and taken up.")

    page.goto(f"{workshop.url}/console/quarantine")
    page.get_by_role("link", name="What would change", exact=True).click()
    page.get_by_role("button", name="Replay 1 event").click()
    expect(page.get_by_role("status")).to_contain_text("1 event left the quarantine.")
    page.goto(f"{workshop.url}/console/message?id={message_id}")
    expect(page.get_by_role("cell", name=re.compile("waiting|being sent|delivered")).first).to_be_visible()


def test_a_bad_publication_is_returned(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(f"{workshop.url}/console/tester?example=Checkout")
    page.get_by_label("Try a change").select_option(label=str(ROOT / "presets/checkout.yaml"))
    draft = page.get_by_label(re.compile("^Draft of"))
    expect(draft).to_have_value(re.compile("name: Checkout"))
    untested, _, _ = draft.input_value().partition("\ntests:")  # a failing test would refuse it
    draft.fill(untested.replace('event = "Checkout"', 'event = "Chekout"'))
    page.get_by_role("button", name="Publish this draft…").click()
    expect(page.locator(".difference .removed").first).to_contain_text('event = "Checkout"')
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Published")

    page.get_by_role("button", name="Return to the shipped file, or none").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Published")
    page.goto(f"{workshop.url}/console/tester?example=Checkout")
    expect(page.get_by_role("status")).to_contain_text("1 delivery to Pinterest: Checkout.")


def test_what_is_published_can_be_neither_seen_nor_changed_beside_its_difference(
    workshop: Server, chromium: Browser
) -> None:
    page = chromium.new_page()  # of its own: it is answered with 409, which Chromium tells as an error
    page.goto(f"{workshop.url}/console/tester?example=Checkout")
    page.get_by_label("Try a change").select_option(label=str(ROOT / "presets/checkout.yaml"))
    draft = page.get_by_label(re.compile("^Draft of"))
    draft.fill(draft.input_value() + "# as drafted\n")
    assert page.evaluate(SEEN_THOUGH_HIDDEN) == []
    page.get_by_role("button", name="Publish this draft…").click()
    expect(page.locator(".difference .added")).to_contain_text("# as drafted")
    assert page.locator("#publish textarea, #publish input:visible:not([name=why])").count() == 0
    assert page.evaluate(SEEN_THOUGH_HIDDEN) == []
    page.evaluate("document.querySelector('#publish [name=text]').value += '# slipped in\\n'")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was published.")
    expect(page.locator(".difference .added").last).to_contain_text("# slipped in")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Published")
    assert page.evaluate(SEEN_THOUGH_HIDDEN) == []
    page.get_by_role("button", name="Return to the shipped file, or none").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Published")
    page.context.close()


def test_an_event_is_seen_as_it_arrives_and_opened_in_the_tester(workshop: Server, open_page: OpenPage) -> None:
    page = open_page(f"{workshop.url}/console/tail")
    page.get_by_role("button", name="Show for 5 minutes").click()
    expect(page.get_by_text("Nothing has arrived since it is on.")).to_be_visible()
    post_purchase(workshop, "tailed")
    opens = page.get_by_role("row", name="Purchase").get_by_role("button", name="Open in tester")
    expect(opens).to_be_visible()
    opens.click()
    event = page.get_by_label("Segment event")
    expect(event).to_have_value(re.compile("SO-tailed"))
    page.goto(f"{workshop.url}/console")
    page.goto(f"{workshop.url}/console/tester")
    expect(event, "it is kept in this tab like what is typed").to_have_value(re.compile("SO-tailed"))
    page.goto(f"{workshop.url}/console/tail")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("heading", name="It is off")).to_be_visible()


def _shows(page: Page, text: str) -> bool:
    page.goto(page.url)
    return page.get_by_role("link", name=text, exact=True).first.is_visible()
