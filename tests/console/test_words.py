"""What pages say: plain words, singular and plural right, nothing by the name that it has in the code."""

import re
from enum import StrEnum
from html import unescape
from itertools import pairwise
from pathlib import Path
from random import Random

import httpx
import pytest

from app.console.labels import WARNING_ADVICE, warning_advice
from app.console.pages import ROOM
from app.core.deliveries import State
from app.core.events import CounterRow, Measure, Outcome
from app.core.pages import AuditAction
from app.core.shared_values import TROUBLE
from app.insights.inventory.counting import NameCounts, Sampler
from app.outbox.pairing import PAGE_DIFFERS
from app.source import Intake
from tests.console.test_counts import event, fill, paths_of_names
from tests.console.world import ACCOUNT, NOW, World
from tests.rows import every_row
from tests.sender.claims import a_trouble

PAGES = (
    "",
    "?period=month",
    "/deliveries",
    "/deliveries?state=dead",
    "/deliveries?outcome=unmatched",
    "/message?id=sent-0-0",
    "/delivery?id=1",
    "/delivery?id=3",
    "/deliveries/redrive",
    "/deliveries/dismiss?preset=Checkout",
    "/mappings",
    "/tester?example=Checkout",
    "/activity",
    "/people",
    "/inventory",
    "/revenue",
    "/revenue/compare",
    "/pinterest",
    "/quarantine",
    "/revenue?period=week",
    "/tail",
)
NAMES: tuple[type[StrEnum], ...] = (State, Outcome, Measure, AuditAction)
#: Names in the code that are words of everybody.
PLAIN = {
    "delivered",
    "dead",
    "dismissed",
    "received",
    "accepted",
    "refused",
    "matched",
    "withheld",
    "duplicate",
    "invalid",
    "public",
    "merged",
}
PLAIN |= {
    "rejected",
    "withdrawn",
    "blocked",
    "preset",
    "property",
    "sampled",
    "found",
    "outcome",
    "published",
    "switched",
}
#: Where texts stand that are not ours, or are names on purpose; then all other tags.
_NOT_OURS = re.compile(r"<(script|style|pre|textarea|code|svg|title)\b.*?</\1>|<(?:input|option)[^>]*>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
#: "1 events", "0 event", "delivery(s)"
_THINGS = ("event", "preset", "time", "fault", "letter", "hour", "day", "minute", "name", "order", "page")
_MANY = "|".join((*(f"{thing}s" for thing in _THINGS), "deliveries"))
_ONE = "|".join((*_THINGS, "delivery"))
_WRONG = re.compile(rf"(?<![\w.,:/-])(?:1 (?:[a-z]+ )?(?:{_MANY})|(?:0|[2-9]|[1-9][\d,]*\d) (?:{_ONE}))\b(?!-)")
#: Of what is a paragraph, the text that begins as a sentence does, and how one ends; what leads on ends with its link.
_PARAGRAPH = re.compile(r"<(p|dd|li)\b[^>]*>(.*?)</\1>", re.DOTALL)
_SENTENCE = re.compile(r"[A-Z][^.!?:]*(?: [^ ]+){5}.*", re.DOTALL)
_ENDS = re.compile(r"[.!?:…]$")
#: What is chosen from, what names a field, what a list cuts short, and what is for screen readers only.
_UNSEEN = re.compile(
    r"<(option|label)\b.*?</\1>|<td class=\"cut\b[^<]*|<span class=\"visually-hidden\">.*?</span>", re.DOTALL
)
#: A name that is too long for a column, and not said where it may break.
_UNBROKEN = re.compile(r"[^\n]*\w+(?:_\w+){6,}[^\n]*")
_BRACKETED = re.compile(r"\w\((?:s|es|ies)\)")


async def shown(world: World, path: str) -> str:
    """What a reader sees of a page."""
    answer = await world.browser.get(f"/console{path}")
    assert answer.status_code == httpx.codes.OK, path
    return re.sub(r"\s+", " ", unescape(_TAG.sub("\n", _NOT_OURS.sub("\n", answer.text))))


@pytest.mark.slow
async def test_pages_speak_in_plain_words(world: World) -> None:
    await fill(world)
    for on in ("no", "yes"):
        await world.browser.post("/console/mappings/switch", data={"preset": "Checkout", "on": on})
    code = {name.value for names in NAMES for name in names} - PLAIN
    found = {}
    for path in [*PAGES, *(path.removeprefix("/console") for path in await paths_of_names(world))]:
        text = await shown(world, path)
        told = code.intersection(re.findall("[a-z]+", text.lower()))
        if wrong := [*told, *_WRONG.findall(text), *_BRACKETED.findall(text)]:
            found[path] = wrong
    assert found == {}


def sentences(page: str) -> list[str]:
    """What stands as sentences on a page."""
    found = (_TAG.sub("", inner) for _, inner in _PARAGRAPH.findall(_NOT_OURS.sub("", page)))
    texts = (re.sub(r"\s+", " ", unescape(text)).strip() for text in found)
    return [text for text in texts if _SENTENCE.fullmatch(text)]


@pytest.mark.slow
async def test_sentences_end_with_a_full_stop_and_long_names_may_break(world: World) -> None:
    long = "loyalty_points_redeemed_by_a_returning_customer"
    world.write(
        "long",
        f'name: {long}\nsubscribe: event = "{long}"\naction: report_conversion_event\nmapping: {{event_name: lead}}\n',
    )
    world.running.reload()
    await fill(world)
    names = NameCounts(Sampler(lambda: world.running.catalog), Random(7), max_names=100)
    long_events = [event("long", name=long), event("long", name=long), event("bare", name=long, context={})]
    long_events.append(event("other", name=f"{long}_again", properties={long: 1}))
    world.pipeline.listeners = (names,)
    await world.pipeline.accept(Intake(long_events, now=world.now))
    await world.outbox.inventory.add(names.take(), now=world.now, max_names=100)
    wrong = {}
    for path in [*PAGES, *(path.removeprefix("/console") for path in await paths_of_names(world))]:
        page = _UNSEEN.sub("", (await world.browser.get(f"/console{path}")).text)
        endless = [text for text in sentences(page) if not _ENDS.search(text)]
        seen = _TAG.sub("\n", _NOT_OURS.sub("\n", page.replace("<wbr>", " ")))
        if endless or _UNBROKEN.search(seen):
            wrong[path] = [*endless, *_UNBROKEN.findall(seen)]
    assert wrong == {}


#: A line that ends with words or a link, behind them tags of the template that show nothing; and how words go on.
_ENDS_INLINE = re.compile(r"(?:[\w.,:;)\"”…%]|\}\}|</(?:strong|code|a|span|time)>)$")
_GOES_ON = re.compile(r"(?:[\w(“]|\{\{(?!-)|<(?:a|strong|code|span|time)\b)")
_BLOCK_AT_END, _BLOCK_AT_START = re.compile(r"\{%-?[^%]*%\}$"), re.compile(r"\{%-?[^%]*%\}")


@every_row("template", sorted((ROOM / "templates").glob("*.html")), ids=lambda path: path.name)
def test_no_blank_between_words_is_lost_to_a_line_that_ends_with_a_tag(template: Path) -> None:
    """Jinja takes the line end behind a block tag away, unless the tag ends with `+%}`."""
    lines, joined = template.read_text(encoding="utf-8").splitlines(), []
    for line, after in pairwise(lines):
        if not line.endswith("%}") or line.endswith("+%}"):
            continue
        first, second = line, after.lstrip()
        while found := _BLOCK_AT_END.search(first):
            first = first[: found.start()]
        while found := _BLOCK_AT_START.match(second):
            second = second[found.end() :]
        if first.strip() and _ENDS_INLINE.search(first) and _GOES_ON.match(second):
            joined.append(line[-60:])
    assert joined == []


@pytest.mark.slow
async def test_what_stands_between_backticks_is_shown_as_code(world: World) -> None:
    await fill(world)
    await TROUBLE.of(ACCOUNT).write(world.outbox, a_trouble())
    await world.outbox.enqueue([], [], [CounterRow(name="warning", preset="Checkout", label=PAGE_DIFFERS)], now=NOW)
    paths = [*PAGES, *(path.removeprefix("/console") for path in await paths_of_names(world))]
    assert [path for path in paths if "`" in await shown(world, path)] == []
    wrong = await world.browser.get("/console/deliveries?period=fortnight")
    assert "<code>period</code>" in wrong.text


@every_row("label", sorted(WARNING_ADVICE))
def test_no_advice_names_a_setting_that_is_set(label: str) -> None:
    names = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", WARNING_ADVICE[label])) - {"LDP_STATES"}
    assert [name for name in names if name in warning_advice(label, names)] == []
    assert "[" not in warning_advice(label)
    assert all(name in warning_advice(label) for name in names)
