"""The ten questions of docs/console.md, each answered within three clicks: by keyboard, by mouse, on a phone."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.process import PLAIN, ROOT, Server, running
from tests.waiting import until

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]

#: Whether nothing is wider than the window. A page that was resized, or still loads, is laid out a moment later.
FITS: Final = "document.documentElement.scrollWidth === document.documentElement.clientWidth"
CLICKS: Final = 3
DESK: Final[ViewportSize] = {"width": 1_280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
#: A search is one click: typing is none, Enter is.
SEARCH: Final = "search"


@dataclass(frozen=True, slots=True)
class Question:
    """A way from the start page, and what then stands there."""

    asked: str
    #: Names of links and buttons, and what is typed into the search.
    way: tuple[str | tuple[str, str], ...]
    #: Where the answer stands, and parts of it.
    where: str
    answer: tuple[str, ...]


QUESTIONS: Final = (
    Question(
        "Is anything wrong?", (), "#part-needs", ("events were rejected", "then redrive", "since", "Review and redrive")
    ),
    Question(
        "Did order SO-1001 arrive?",
        ((SEARCH, "SO-1001"),),
        "main",
        ("Order SO-1001, 12.50 EUR, reached the sandbox", "after it was placed", "Sent, and Pinterest accepted it"),
    ),
    Question(
        "Which events does nothing send?",
        ("nav >> text=Events", 'tr:has-text("Purchase") >> text=Draft a preset'),
        "main",
        ("1 delivery to Pinterest: Purchase.",),
    ),
    Question(
        "What became of yesterday's checkouts?",
        ("nav >> text=Events", 'th >> text="Order Completed"'),
        'section:has(h2:text("By day"))',
        ("Received", "Taken to be sent", "Withheld"),
    ),
    Question(
        "Why do few carry a click id?",
        ("#part-quality >> text=Keys and advice",),
        "main",
        ("What would bring most", "lack it", "epik"),
    ),
    Question(
        "What would become of this event?",
        ("nav >> text=Events", "nav >> text=Event tester", '.examples >> text="Checkout"'),
        "#result",
        ("1 delivery to Pinterest: Checkout.", "What Pinterest gets"),
    ),
    Question(
        "What changes a mapping, and how back?",
        ("nav >> text=Presets", 'a[href*="versions?file"][href*="mine%2Fcheckout"]', 'text="Return to this" >> nth=0'),
        "main",
        ("Publish checkout.yaml?", "-# second", "+# first"),
    ),
    Question(
        "Who switched this preset off?",
        ("nav >> text=Activity",),
        "main",
        ("preset Search", "switched", "off", "ago"),
    ),
    Question(
        "Is revenue that of the shop?",
        ("nav >> text=Revenue",),
        "main",
        ("EUR", "each counted once", "of it reached the sandbox"),
    ),
    Question("The token expired: what waits?", (), "main", ("Pinterest refuses our calls", "Safe until", "in 2 days")),
)


HANDBOOK: Final = (ROOT / "docs" / "console.md").read_text(encoding="utf-8").split("\n## Ten questions\n")[1]
#: Clicks, and presses of keys, of each question as the handbook tells them.
MEASURED: Final = [(int(clicks), int(keys)) for clicks, keys in re.findall(r"\| (\d+) \| (\d+) \|\n", HANDBOOK)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, history: Path) -> Iterator[Server]:
    """A week of traffic, an order, a name that nothing takes, a preset that was published twice, one switched off."""
    folder = tmp_path_factory.mktemp("planted")
    own = folder / "mine"
    _publish_twice(own)
    shutil.copy(history, folder)
    with running(folder, presets_dir=f"{ROOT / 'presets'},{own}") as server:
        _post(server, "SO-1001", "Order Completed", order_id="SO-1001")
        _post(server, "odd", "Purchase", order_id="SO-odd", email="eva@example.com")
        _ask(server, "POST", "/api/v1/switch", {"on": False, "preset": "Search"})
        until(lambda: _delivered(server, "SO-1001"), what="the order is delivered")
        until(lambda: "Purchase" in _ask(server, "GET", "/api/v1/events").text, what="the inventory knows it")
        yield server


def _publish_twice(own: Path) -> None:
    text = (ROOT / "presets" / "checkout.yaml").read_text(encoding="utf-8")
    versions = own / ".versions" / "checkout.yaml"
    versions.mkdir(parents=True)
    texts = (f"{text}# first\n", f"{text}# second\n")
    for number, content in enumerate(texts, start=1):
        version = {"at": time.time() - 600 / number, "author": "ada", "text": content}
        (versions / f"{number}.json").write_text(json.dumps(version), encoding="utf-8")
    (own / "checkout.yaml").write_text(texts[1], encoding="utf-8")


def _ask(server: Server, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(method, server.url + path, json=body, **PLAIN).raise_for_status()


def _post(server: Server, message_id: str, name: str, **properties: object) -> None:
    event = {
        "type": "track",
        "event": name,
        "messageId": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"total": 12.5, "currency": "EUR", **properties},
        "context": {"traits": {"email": f"{message_id}@shop.example"}},
    }
    _ask(server, "POST", "/webhook", event)


def _delivered(server: Server, order_id: str) -> bool:
    found = _ask(server, "GET", f"/api/v1/deliveries?order_id={order_id}&state=delivered").json()
    return bool(found["deliveries"])


def go(page: Page, step: str | tuple[str, str]) -> int:
    """Take one step of a way by keys, where a finger on a phone and a mouse could take it as well; return how many.

    Typing what is looked for counts as none.
    """
    searchbox = page.get_by_role("searchbox")
    target = page.locator(step).first if isinstance(step, str) else searchbox
    pressed = tab_to(page, target) if isinstance(step, str) else 1
    page.set_viewport_size(PHONE)
    target.tap(trial=True)  # it is in sight, and nothing lies above it
    page.set_viewport_size(DESK)
    target.click(trial=True)
    if isinstance(step, str):
        target.focus()
    else:
        page.keyboard.press("/")
        expect(searchbox).to_be_focused()
        page.keyboard.type(step[1])
    page.keyboard.press("Enter")
    return pressed + 1


def tab_to(page: Page, target: Locator) -> int:
    """Press Tab until the target has the focus; return how often."""
    expect(target, "the first frame leaves it out, and so does Tab").to_be_visible()
    wanted = target.element_handle()  # looked for once: a locator looks anew whenever it is asked
    for pressed in range(1, 400):
        page.keyboard.press("Tab")
        if page.evaluate("(each) => each === document.activeElement", wanted):
            return pressed
    pytest.fail(f"no Tab reaches {target}")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.asked)
def test_a_question_is_answered_within_three_clicks(question: Question, planted: Server, open_page: OpenPage) -> None:
    assert len(question.way) <= CLICKS
    if question is QUESTIONS[-1]:
        _expire_token(planted)
    page = open_page(f"{planted.url}/console", has_touch=True)
    pressed = sum(go(page, step) for step in question.way)
    assert pressed <= MEASURED[QUESTIONS.index(question)][1], "docs/console.md says how many"
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        for text in question.answer:
            expect(page.locator(question.where).first).to_contain_text(text)
        until(partial(page.evaluate, FITS), 5, f"nothing is wider than the window of {size['width']} px")


def _expire_token(server: Server) -> None:
    """Let Pinterest refuse the token from now on, and something wait for it."""
    _ask(server, "PUT", "/sandbox/script", {"steps": [{"status": 401, "times": None}]})
    _post(server, f"late-{time.time_ns()}", "Order Completed", order_id=f"SO-{time.time_ns()}")
    until(lambda: "refuses our calls" in _ask(server, "GET", "/console").text, what="it is blocked")


def test_every_question_is_told_in_the_handbook() -> None:
    """The table of the page has a row for each."""
    assert [clicks for clicks, _ in MEASURED] == [len(question.way) for question in QUESTIONS]
