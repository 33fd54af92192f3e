"""Sealed events of a store: kept, found, bounded, erased."""

from typing import Any

import pytest

from app.core.events import Outcome
from app.core.pages import Quarantined, QuarantineFilter
from tests.outbox.build import HOUR_S, NOW, At

ALL = QuarantineFilter()


def sealed(number: int, **changes: Any) -> Quarantined:
    standard: dict[str, Any] = {
        "at": NOW + number,
        "ends_at": NOW + HOUR_S,
        "source": "default",
        "is_trusted": True,
        "name": "Order Completed",
        "outcome": Outcome.INVALID,
        "reason": "event_name: missing",
        "message_id": f"m-{number}",
        "keys": (f"key-{number}",),
        "sealed": f"sealed-{number}",
    }
    return Quarantined(**(standard | changes))


async def messages(at: At, wanted: QuarantineFilter = ALL, *, later: float = 0) -> list[str]:
    found = await at.outbox.sealed_events.find(wanted, now=at.now + later, after=0, limit=100)
    return [each.message_id for each in found]


async def test_what_is_kept_is_found_as_it_was(at: At) -> None:
    one = sealed(1, keys=("user", "browser"), is_trusted=False, outcome=Outcome.UNMATCHED, reason="no \u0000 preset")
    two = sealed(2, keys=())
    await at.outbox.sealed_events.keep([one, two])
    first, second = await at.outbox.sealed_events.find(ALL, now=NOW, after=0, limit=10)
    assert (first.keys, first.is_trusted, first.outcome, first.sealed) == (
        one.keys,
        False,
        Outcome.UNMATCHED,
        one.sealed,
    )
    assert (second.at, second.ends_at, second.keys, second.is_trusted) == (two.at, two.ends_at, (), True)
    assert await at.outbox.sealed_events.find(ALL, now=NOW, after=first.id, limit=10) == [second]


async def test_what_is_sent_again_is_kept_once(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(1), sealed(1)])
    await at.outbox.sealed_events.keep([sealed(1), sealed(1, source="shop")])
    assert await messages(at) == ["m-1", "m-1"]


@pytest.mark.parametrize(
    "wanted",
    [
        QuarantineFilter(name="Purchase"),
        QuarantineFilter(outcome=Outcome.UNMATCHED),
        QuarantineFilter(source="shop"),
        QuarantineFilter(reason="no preset"),
        QuarantineFilter(name="Purchase", outcome=Outcome.UNMATCHED, source="shop", reason="no preset"),
    ],
)
async def test_a_filter_means_what_is_equal_in_all_that_it_names(at: At, wanted: QuarantineFilter) -> None:
    other = sealed(2, name="Purchase", outcome=Outcome.UNMATCHED, source="shop", reason="no preset")
    await at.outbox.sealed_events.keep([sealed(1), other, sealed(3, name="Purchase and more")])
    assert await messages(at, wanted) == ["m-2"]


async def test_groups_count_what_is_alike_the_most_first(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(1, name="Purchase"), sealed(2), sealed(3)])
    first, second = await at.outbox.sealed_events.groups(now=NOW, limit=10)
    assert (first.name, first.count, first.first_at, first.last_at) == ("Order Completed", 2, NOW + 2, NOW + 3)
    assert (second.name, second.count, second.outcome, second.reason) == (
        "Purchase",
        1,
        Outcome.INVALID,
        "event_name: missing",
    )
    assert await at.outbox.sealed_events.groups(now=NOW, limit=1) == [first]


async def test_what_is_over_is_found_no_more_and_retention_erases_it(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(1), sealed(2, ends_at=NOW + 2 * HOUR_S)])
    assert await messages(at, later=HOUR_S) == ["m-2"]
    assert [each.count for each in await at.outbox.sealed_events.groups(now=NOW + HOUR_S, limit=10)] == [1]
    assert await at.outbox.retain(now=NOW + HOUR_S, limit=100) >= 1
    assert await messages(at) == ["m-2"]


async def test_the_oldest_go_first_where_too_much_is_kept(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(number, sealed="x" * 100) for number in range(5)])
    assert await at.outbox.sealed_events.trim(250) == 3
    assert await messages(at) == ["m-3", "m-4"]
    assert await at.outbox.sealed_events.trim(250) == 0


@pytest.mark.parametrize(
    ("flood", "kept"),
    [
        ("public", ["m-0", "m-1", "m-48", "m-49"]),  # of 500 bytes 250 for public ones, and the latest of these stay
        ("trusted", ["m-45", "m-46", "m-47", "m-48", "m-49"]),  # what is trusted may take all, also from what is public
    ],
)
async def test_a_flood_of_public_events_erases_nothing_trusted(at: At, flood: str, kept: list[str]) -> None:
    keep, size = at.outbox.sealed_events.keep, {"sealed": "x" * 100}
    await keep([sealed(number, is_trusted=flood == "public", **size) for number in range(2)])
    await keep([sealed(number, is_trusted=flood == "trusted", source="page", **size) for number in range(2, 50)])
    await at.outbox.sealed_events.trim(500)
    assert await messages(at) == kept
    assert await at.outbox.sealed_events.trim(500) == 0


async def test_where_nothing_is_trusted_public_events_have_all_the_room(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(number, is_trusted=False, sealed="x" * 100) for number in range(9)])
    assert await at.outbox.sealed_events.trim(500) == 4


async def test_a_public_event_takes_no_place_of_a_trusted_one_with_the_same_message_id(at: At) -> None:
    public, trusted = sealed(1, is_trusted=False, sealed="a"), sealed(1, sealed="b")
    await at.outbox.sealed_events.keep([public, trusted, public, trusted])
    found = await at.outbox.sealed_events.find(ALL, now=NOW, after=0, limit=10)
    assert [(each.is_trusted, each.sealed) for each in found] == [(False, "a"), (True, "b")]


async def test_it_is_erased_by_id_and_by_the_keys_of_its_person(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(1, keys=("ann", "x")), sealed(2, keys=("y",)), sealed(3, keys=())])
    assert await at.outbox.sealed_events.forget(["x", "nobody"]) == 1
    assert await at.outbox.sealed_events.forget([]) == 0
    assert await messages(at) == ["m-2", "m-3"]
    (first, _) = await at.outbox.sealed_events.find(ALL, now=NOW, after=0, limit=10)
    await at.outbox.sealed_events.release([first.id])
    assert await messages(at) == ["m-3"]


SAMPLES = QuarantineFilter(samples=True)


def sample(number: int, **changes: Any) -> Quarantined:
    return sealed(number, **({"outcome": Outcome.ACCEPTED, "reason": ""} | changes))


async def test_samples_stand_apart_from_the_quarantine(at: At) -> None:
    await at.outbox.sealed_events.keep([sealed(1), sample(1), sample(2)])
    await at.outbox.sealed_events.keep([sample(1)])
    assert (await messages(at), await messages(at, SAMPLES)) == (["m-1"], ["m-1", "m-2"])
    assert [each.count for each in await at.outbox.sealed_events.groups(now=NOW, limit=9)] == [1]
    assert await messages(at, QuarantineFilter(outcome=Outcome.ACCEPTED)) == []
    assert await at.outbox.sealed_events.trim(0) == 1
    assert await messages(at, SAMPLES) == ["m-1", "m-2"]
    assert await at.outbox.sealed_events.forget(["key-1"]) == 1
    assert await messages(at, SAMPLES) == ["m-2"]


async def test_of_each_name_the_newest_samples_stay_and_of_public_ones_half_as_many(at: At) -> None:
    public = [sample(number, is_trusted=False) for number in range(5)]
    trusted = [sample(number) for number in range(5, 7)]
    later = [sample(number, is_trusted=False) for number in range(7, 9)]
    await at.outbox.sealed_events.keep([*public, *trusted, *later, sample(10, name="Purchase"), sealed(11)])
    assert await at.outbox.sealed_events.trim_samples(4) == 5
    assert await messages(at, SAMPLES) == ["m-5", "m-6", "m-7", "m-8", "m-10"]
    assert await at.outbox.sealed_events.trim_samples(3) == 1
    assert await messages(at, SAMPLES) == ["m-5", "m-6", "m-8", "m-10"]
    assert await at.outbox.sealed_events.trim_samples(1) == 2
    assert await messages(at, SAMPLES) == ["m-6", "m-10"]
    assert await messages(at) == ["m-11"]
