"""Counting by name: exact for what has a place, bounded for all, and nothing lost of what became of events."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event, EventKey, InventoryCount, Measure, Outcome
from app.core.receipts import PresetResult
from app.errors import EventRefused, EventUntaken
from app.insights.inventory.counting import EARLY_OF_A_NAME, EARLY_OF_ALL, ONE_IN, NameCounted, NameCounts, Sampler
from app.outbox.inventory import OTHERS
from tests.assembled import shipped_catalog

UNMATCHED = (PresetResult(preset=None, outcome=Outcome.UNMATCHED),)
SENT = (
    PresetResult(preset="Order Completed", outcome=Outcome.ENQUEUED),
    PresetResult(preset="Checkout", outcome=Outcome.INVALID),
)


def names(max_names: int = 100, sampler: Sampler | None = None) -> NameCounts:
    return NameCounts(sampler or Sampler(shipped_catalog), random.Random(7), max_names=max_names)


def track(name: Any, **properties: Any) -> Event:
    return {"type": "track", "event": name, "messageId": "m", "properties": properties}


def meet(
    met: NameCounts,
    *events: Event | EventRefused,
    source: str = "shop",
    lines: tuple[PresetResult, ...] = UNMATCHED,
    is_trusted: bool = False,
) -> None:
    found: list[NameCounted] = []
    assert list(map(met.observer(source, found, is_trusted=is_trusted), events)) == list(events)
    for one in found:
        one.count(lines)


def of(counts: list[InventoryCount], counted: Measure) -> dict[tuple[str, str, str, str], int]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for count in counts:
        if count.counted is counted:
            found[(*count.key, count.label)] += count.number
    return dict(found)


def test_events_exits_and_presets_are_counted_by_name() -> None:
    met = names()
    meet(met, track("Order Completed"), lines=SENT)
    meet(met, track("order completed"), {"type": "page", "name": "Cart", "messageId": "m"})
    counts = met.take()
    assert of(counts, Measure.RECEIVED) == {
        ("shop", "track", "Order Completed", ""): 1,
        ("shop", "track", "order completed", ""): 1,
        ("shop", "page", "Cart", ""): 1,
    }
    assert of(counts, Measure.OUTCOME) == {
        ("shop", "track", "Order Completed", "enqueued"): 1,
        ("shop", "track", "Order Completed", "invalid"): 1,
        ("shop", "track", "order completed", "unmatched"): 1,
        ("shop", "page", "Cart", "unmatched"): 1,
    }
    assert of(counts, Measure.PRESET) == {
        ("shop", "track", "Order Completed", "Order Completed"): 1,
        ("shop", "track", "Order Completed", "Checkout"): 1,
    }
    assert met.take() == []


def test_sources_are_told_apart_and_types_name_events_differently() -> None:
    met = names()
    meet(met, track("A"), source="web")
    meet(met, track("A"), {"type": "identify", "name": "no name", "messageId": "m"}, track(7), source="app")
    assert set(of(met.take(), Measure.RECEIVED)) == {
        ("web", "track", "A", ""),
        ("app", "track", "A", ""),
        ("app", "identify", "", ""),
        ("app", "track", "", ""),
    }


def test_what_was_refused_has_a_name_where_it_could_be_read() -> None:
    met = names()
    refused = (PresetResult(preset=None, outcome=Outcome.REFUSED),)
    held = EventUntaken("off", named=("track", "Order Completed"))
    meet(met, EventRefused("no type"), EventRefused("no type"), held, held, lines=refused)
    counts = met.take()
    assert of(counts, Measure.RECEIVED) == {("shop", "", "", ""): 2, ("shop", "track", "Order Completed", ""): 2}
    assert of(counts, Measure.SAMPLED) == {}


def test_of_a_name_the_first_events_are_looked_into_and_then_one_in_so_many() -> None:
    met = names()
    meet(met, *(track("A", total=1) for _ in range(20 * ONE_IN)))
    counts = met.take()
    (sampled,) = of(counts, Measure.SAMPLED).values()
    assert EARLY_OF_A_NAME + 8 <= sampled <= EARLY_OF_A_NAME + 40
    assert of(counts, Measure.PROPERTY) == {("shop", "track", "A", "properties.total number"): sampled}
    assert of(counts, Measure.FOUND)["shop", "track", "A", "value"] == sampled
    meet(met, track("A"))
    assert list(of(met.take(), Measure.SAMPLED).values()) == [1]


def test_however_many_names_come_only_so_many_events_are_looked_into_at_once() -> None:
    met = names(10_000)
    meet(met, *(track(f"invented {n}") for n in range(3 * EARLY_OF_ALL)))
    assert sum(of(met.take(), Measure.SAMPLED).values()) <= EARLY_OF_ALL * 4 / 3


@pytest.mark.slow
def test_an_event_that_cannot_be_looked_into_is_counted_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> Any:
        raise ValueError("a fault of ours")

    met = names(sampler=Sampler(fails))
    meet(met, track("A"))
    counts = met.take()
    assert [count.counted for count in counts] == [Measure.RECEIVED, Measure.PUBLIC, Measure.OUTCOME]
    assert "ValueError" in "".join(capsys.readouterr())


@pytest.mark.slow
def test_the_frequent_names_stay_exact_among_invented_ones() -> None:
    met = names(20)
    rng = random.Random(1)
    events = [track("Order Completed") for _ in range(1_000)] + [track(f"invented {n}") for n in range(5_000)]
    rng.shuffle(events)
    meet(met, track("Order Completed"), track("Order Completed"))  # it has its place before the flood
    meet(met, *events)
    received = of(met.take(), Measure.RECEIVED)
    assert received["shop", "track", "Order Completed", ""] == 1_002
    assert len(received) <= 21


def test_what_is_under_way_while_its_name_loses_its_place_is_counted_as_the_others() -> None:
    met, found = names(1), list[NameCounted]()
    list(map(met.observer("shop", found), [track("A"), track("B")]))
    for one in found:
        one.count(UNMATCHED)
    counts = met.take()
    assert of(counts, Measure.RECEIVED) == {("shop", "track", "B", ""): 1, ("shop", "", OTHERS, ""): 1}


@given(
    given_names=st.lists(st.sampled_from("abcdefghijkl"), max_size=200),
    max_names=st.integers(1, 8),
    takes=st.sets(st.integers(0, 200)),
)
def test_nothing_is_lost_and_a_frequent_name_keeps_its_place(
    given_names: list[str], max_names: int, takes: set[int]
) -> None:
    """Nothing is lost; never more names than places; who comes more often than one in so many has a place."""
    met = names(max_names)
    counts: list[InventoryCount] = []
    for place, name in enumerate(given_names):
        meet(met, track(name))
        if place in takes:
            counts += met.take()
    last = met.take()
    counts += last
    received = of(counts, Measure.RECEIVED)
    assert sum(received.values()) == len(given_names)
    assert sum(of(counts, Measure.OUTCOME).values()) == len(given_names)
    assert len([key for key in of(last, Measure.RECEIVED) if key[1]]) <= max_names
    if not takes:
        for name, often in Counter(given_names).items():
            if often > len(given_names) / max_names:
                assert ("shop", "track", name, "") in received
    for (_, type_, name, _), number in received.items():
        assert number <= (given_names.count(name) if type_ else len(given_names))


@given(sent=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=200), max_names=st.integers(1, 6))
def test_names_of_public_events_take_no_place_of_trusted_ones(sent: list[tuple[str, bool]], max_names: int) -> None:
    """What is counted of trusted events is what they alone would have given; public ones lose nothing of their sum."""
    both, alone = names(max_names), names(max_names)
    for name, is_trusted in sent:
        meet(both, track(name), source="shop" if is_trusted else "page", is_trusted=is_trusted)
        if is_trusted:
            meet(alone, track(name), is_trusted=True)
    counts = both.take()
    of_shop, of_page = ([count for count in counts if count.key.source == source] for source in ("shop", "page"))
    assert of(of_shop, Measure.RECEIVED) == of(alone.take(), Measure.RECEIVED)
    assert of(of_shop, Measure.PUBLIC) == {}
    assert of(of_page, Measure.PUBLIC) == of(of_page, Measure.RECEIVED)
    assert sum(of(of_page, Measure.RECEIVED).values()) == sum(not is_trusted for _, is_trusted in sent)
    assert len([key for key in of(counts, Measure.RECEIVED) if key[1]]) <= max_names


@pytest.mark.parametrize(
    ("max_names", "sent", "left"),
    [
        (2, [("a", False), ("b", False), ("c", True)], {"b", "c"}),  # a trusted name takes the place of a public one
        (2, [("c", True), ("d", True), ("a", False)], {"c", "d"}),
        (1, [("c", True), ("a", False)], {"c"}),  # half of one place is none
        (4, [("c", True), ("a", False), ("b", False), ("e", False)], {"c", "b", "e"}),
    ],
)
def test_which_names_keep_their_places(max_names: int, sent: list[tuple[str, bool]], left: set[str]) -> None:
    met = names(max_names)
    for name, is_trusted in sent:
        meet(met, track(name), source="shop" if is_trusted else "page", is_trusted=is_trusted)
    assert {key[2] for key in of(met.take(), Measure.RECEIVED) if key[1]} == left


def test_events_that_a_stranger_invents_are_not_looked_into_in_place_of_trusted_ones() -> None:
    met = names()
    meet(met, *(track(f"invented {n}") for n in range(EARLY_OF_ALL)))
    meet(met, track("Order Completed"), is_trusted=True)
    assert of(met.take(), Measure.SAMPLED)["shop", "track", "Order Completed", ""] == 1


def test_a_hidden_name_is_one_with_others_that_are_hidden_alike() -> None:
    met = names()
    meet(met, track("Mail to jane@shop.example"), track("Mail to joe@shop.example"))
    hidden = EventKey("shop", "track", "Mail to [redacted]")
    assert sum(count.number for count in met.take() if count[:2] == (hidden, Measure.RECEIVED)) == 2
