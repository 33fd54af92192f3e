"""What pages say: plain words, singular and plural right, nothing by the name that it has in the code."""

import re
from enum import StrEnum
from html import unescape

import httpx

from app.types import AuditAction, Exit, Measure, State
from tests.console.test_counts import fill, paths_of_names
from tests.console.world import World

PAGES = (
    "",
    "?period=month",
    "/deliveries",
    "/deliveries?state=dead",
    "/deliveries?exit=unmatched",
    "/message?id=sent-0-0",
    "/delivery?id=1",
    "/delivery?id=3",
    "/redrive",
    "/dismiss?preset=Checkout",
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
NAMES: tuple[type[StrEnum], ...] = (State, Exit, Measure, AuditAction)
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
}
PLAIN |= {"withdrawn", "blocked", "preset", "property", "sampled", "found", "exit", "published", "switched"}
#: Where texts stand that are not ours, or are names on purpose; then all other tags.
_NOT_OURS = re.compile(r"<(script|style|pre|textarea|code|svg|title)\b.*?</\1>|<(?:input|option)[^>]*>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
#: "1 events", "0 event", "delivery(s)"
_WRONG = re.compile(
    r"(?<![\w.,:/-])1 (?:[a-z]+ )?(?:events|deliveries|presets|times|faults|letters|hours|days|minutes)\b"
)
_BRACKETED = re.compile(r"\w\((?:s|es|ies)\)")


async def shown(world: World, path: str) -> str:
    """What a reader sees of a page."""
    answer = await world.browser.get(f"/console{path}")
    assert answer.status_code == httpx.codes.OK, path
    return re.sub(r"\s+", " ", unescape(_TAG.sub("\n", _NOT_OURS.sub("\n", answer.text))))


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
