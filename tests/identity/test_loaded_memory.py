"""A memory over rows of the outbox: what a call changes is what is written."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from app.config.settings import MemorySettings, RetentionDays
from app.core.people import OptOut, PeopleChanges, PeopleFound, PersonRow, Remembered, Suppression
from app.identity import IdentityEvent, LoadedMemory, resolve_identity
from tests.identity.build import DAY, RULES, identify, no, says, yes
from tests.rows import every_row


def rows_of(changes: PeopleChanges) -> PeopleFound:
    """What an outbox would find, once these changes of nothing are written."""
    people = [
        PersonRow(key=each.key, record=msgspec.json.decode(each.record, type=Remembered), revision=1)
        for each in changes.people
        if each.record is not None
    ]
    return PeopleFound(
        people=people, suppressions={each.key: each.now for each in changes.suppressions if each.now is not None}
    )


def changed(
    events: Sequence[IdentityEvent], found: PeopleFound | None = None, rules: MemorySettings = RULES
) -> PeopleChanges | None:
    memory = LoadedMemory(rules)
    found = found or PeopleFound(people=[], suppressions={})
    memory.add([row.key for row in found.people], found)
    for event in events:
        resolve_identity(event, memory, rules)
    return memory.changes()


def said_at(day: float) -> str:
    """The mark of `anonymous x`, as the store keeps it, by a trusted no of that day."""
    no = OptOut(at=day * DAY, by=("anonymous x",), is_trusted=True, for_trusted=True, ends_at=(day + 400) * DAY)
    return msgspec.json.encode(Suppression.of((no,), ("anonymous x",))).decode()


def first(*events: IdentityEvent) -> PeopleFound:
    changes = changed(events)
    assert changes is not None
    return rows_of(changes)


def test_a_row_says_when_it_was_seen_and_when_its_first_part_is_too_old() -> None:
    changes = changed([says(1, user="ann", anon="x", em="e"), says(3, anon="x", click_id="c")])
    assert changes is not None
    told = {each.key: (each.linked_to, each.linked_at, each.seen_at, each.stale_at) for each in changes.people}
    assert told == {
        "user ann": (None, None, DAY, 91 * DAY),
        "anonymous x": ("user ann", DAY, 3 * DAY, 63 * DAY),
    }
    assert [msgspec.json.decode(each.record or "", type=Remembered).link is None for each in changes.people] == [
        False,
        True,
    ]


def test_nothing_new_is_nothing_to_write() -> None:
    said = says(1, user="ann", anon="x", em="e", click_id="c")
    assert changed([said], first(said)) is None
    assert changed([says(1, "custom", anon="y")]) is None


@pytest.mark.parametrize(("day", "is_written"), [(1.5, False), (1.99, False), (2, True), (9, True)])
def test_what_only_makes_something_newer_is_written_once_a_day(day: float, is_written: Any) -> None:
    before = first(says(1, user="ann", anon="x", em="e", click_id="c"))
    changes = changed([says(day, user="ann", anon="x", em="e", click_id="c")], before)
    assert (changes is not None) == is_written


@every_row("kind", ["session", "remember", "click"])
@every_row(("lasts_s", "later_s", "is_written"), [(7, 0.99, False), (7, 1, True), (0, 1, False)])
def test_what_lasts_for_less_than_a_week_is_renewed_in_sevenths_of_it(
    kind: str, lasts_s: float, later_s: float, is_written: Any
) -> None:
    """A session of six hours that is renewed once a day would end while its person goes on."""
    before = first(says(0, user="ann", anon="x", em="e"))
    later = says(later_s / DAY, user="ann", anon="x", em="e")
    days = lasts_s / DAY
    retention = RetentionDays().model_copy(update={kind: days})
    shorter: dict[str, Any] = {"remember_days": days} if kind == "remember" else {"retention_days": retention}
    changes = changed([later], before, RULES.model_copy(update=shorter))
    assert (changes is not None) == is_written


@every_row(
    "later",
    [
        identify(1.1, user="ann", em="f"),
        says(1.1, user="bob", anon="x"),
        says(1.1, user="ann", anon="x", ph="p"),
        says(1.1, user="ann", anon="y"),
        says(1.1, anon="x", click_id="d"),
    ],
)
def test_anything_else_is_written_at_once(later: IdentityEvent) -> None:
    assert changed([later], first(says(1, user="ann", anon="x", em="e", click_id="c"))) is not None


def test_within_a_call_every_observation_counts() -> None:
    memory = LoadedMemory(RULES)
    before = first(says(1, user="ann", anon="x", em="e"))
    memory.add([row.key for row in before.people], before)
    resolve_identity(says(1.5, user="ann", anon="x"), memory, RULES)
    assert set(resolve_identity(says(8.4, anon="x"), memory, RULES).facts) == {"em", "external_id"}


def test_a_no_leaves_marks_and_what_is_left_of_nobody_is_forgotten() -> None:
    before = first(says(1, anon="x", click_id="c"))
    changes = changed([no(2, anon="x")], before)
    assert changes is not None
    assert [(each.key, each.revision, each.record) for each in changes.people] == [("anonymous x", 1, None)]
    assert [(each.key, each.was, each.now) for each in changes.suppressions] == [("anonymous x", None, said_at(2))]


def test_a_no_says_that_nothing_was_remembered_so_that_nothing_is_meanwhile() -> None:
    changes = changed([no(2, anon="x")])
    assert changes is not None
    assert [(each.key, each.revision, each.record) for each in changes.people] == [("anonymous x", 0, None)]
    again = changed([no(3, anon="x")], PeopleFound(people=[], suppressions={"anonymous x": said_at(2)}))
    assert again is not None
    assert again.people == []


def test_where_there_is_no_room_no_new_mark_is_written_and_a_known_one_changes() -> None:
    found = PeopleFound(people=[], suppressions={"anonymous x": said_at(1)}, is_full=True)
    changes = changed([no(2, anon="x"), no(2, anon="y")], found)
    assert changes is not None
    assert {each.key: each.now for each in changes.suppressions} == {"anonymous x": said_at(2), "anonymous y": None}


def test_a_yes_lifts_a_mark_that_was_found() -> None:
    changes = changed([yes(2, anon="x")], PeopleFound(people=[], suppressions={"anonymous x": said_at(1)}))
    assert changes is not None
    assert [(each.key, each.was, each.now) for each in changes.suppressions] == [("anonymous x", said_at(1), None)]


def test_what_a_call_has_changed_stays_as_it_is_when_more_is_loaded() -> None:
    memory = LoadedMemory(RULES)
    found = first(says(1, anon="x", click_id="c"))
    memory.add(["anonymous x"], found)
    resolve_identity(says(2, anon="x", click_id="d"), memory, RULES)
    memory.add(["anonymous y"], found)
    assert memory.unasked(["anonymous x", "anonymous y", "anonymous z", "anonymous z"]) == ["anonymous z"]
    fact = resolve_identity(says(3, anon="x"), memory, RULES).facts["click"]
    assert fact.members == {"click_id": "d"}
