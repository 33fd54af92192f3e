"""Which preset takes an event, or nearly does, and why not: by the shipped presets."""

from difflib import SequenceMatcher

import pytest

import app.pipeline.nearest_preset as module
from app.catalog import Catalog
from app.core.events import EventKey
from app.pipeline.nearest_preset import nearest_preset, words_of
from tests.assembled import shipped_catalog
from tests.rows import every_row


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return shipped_catalog()


def key(name: str, type_: str = "track") -> EventKey:
    return EventKey("shop", type_, name)


@every_row(
    ("event", "preset", "why"),
    [
        (key("order completed"), "Order Completed", "it is the same name but for upper and lower case"),
        (key("order_completed"), "Order Completed", "it is the same name but for spaces and marks between its words"),
        (key("OrderCompleted"), "Order Completed", "it is the same name but for spaces and marks between its words"),
        (key("completed order"), "Order Completed", "it has the same words in another order"),
        (key("Order Complete"), "Order Completed", "the names are alike"),
        (key("Order Placed"), "Order Completed", "that is what Segment calls it"),
        (key("Purchase"), "Order Completed", "that is what Segment calls it"),
        (key("AddToCart"), "Add to Cart", "that is what Segment calls it"),
        (key("Order Completed", "screen"), "Order Completed", "it came as `screen` instead of `track`"),
        (key("purchase"), "GA4 Purchase", "`enabled: false` in its file takes it out"),
        (key("Application Opened"), "Application Opened (Android)", "asks for this name and more, which did not hold"),
        (key("Cart", "page"), "Page Visit", "but none took any of these events"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_nearest_preset_and_why_it_does_not_take_the_event(
    catalog: Catalog, event: EventKey, preset: str, why: str
) -> None:
    found = nearest_preset(event, (), catalog)
    assert (found.preset, why in found.why) == (preset, True), found


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (key("Cron Heartbeat 7"), "No preset asks for a name like it."),
        (key("", "identify"), "`identify` says who somebody is"),
        (key("orders/updated", "record"), "in the file of its source takes it"),
        (EventKey("shop", "", "*"), "counts events that have no row here"),
    ],
    ids=["unlike", "identify", "record", "others"],
)
def test_where_none_is_near_it_says_so(catalog: Catalog, event: EventKey, why: str) -> None:
    found = nearest_preset(event, (), catalog)
    assert (found.preset, why in found.why) == (None, True), found


@every_row(
    ("name", "compared"),
    [
        ("a" * 100_000, 0),
        ("Order Complete " * 7_000, 0),
        ("Orders Complete", 1),
        ("x" * 150, 0),
        ("zzzzz qqqqqqqqq", 0),
    ],
    ids=["one long word", "many words", "like a name", "longer than a name", "other letters"],
)
def test_a_name_is_compared_only_with_what_it_can_be_like(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, name: str, compared: int
) -> None:
    ratios: list[str] = []

    class Counted(SequenceMatcher):  # type: ignore[type-arg] # of texts
        def ratio(self) -> float:
            ratios.append(name)
            return super().ratio()

    words: list[str] = []

    def counted_words_of(text: str) -> list[str]:
        words.append(text)
        return words_of(text)

    monkeypatch.setattr(module, "SequenceMatcher", Counted)
    monkeypatch.setattr(module, "words_of", counted_words_of)
    module._spelling_of.cache_clear()
    nearest_preset(key(name), (), catalog)
    assert bool(ratios) == bool(compared), ratios
    assert len(ratios) < 20
    assert words.count(name) == (len(name) <= module.MAX_COMPARED_CHARACTERS)
    words.clear()
    nearest_preset(key(name), (), catalog)
    assert words == []
    module._spelling_of.cache_clear()


def test_a_preset_that_took_events_needs_no_reason(catalog: Catalog) -> None:
    found = nearest_preset(key("Order Completed"), ["gone", "Order Completed", "Checkout"], catalog)
    assert (found.preset, found.is_named, found.why) == ("Order Completed", True, "")


@pytest.mark.parametrize(
    ("name", "words"),
    [("Order Completed", ["order", "completed"]), ("größeWählen", ["grösse", "wählen"]), ("v2-OrderXMLSent", None)],
)
def test_a_name_is_split_into_its_words(name: str, words: list[str] | None) -> None:
    assert words_of(name) == (words or ["v", "2", "order", "xml", "sent"])
