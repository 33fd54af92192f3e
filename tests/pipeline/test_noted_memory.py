"""What one event gave to memory is told as it happened, and telling it changes nothing."""

import pytest
from hypothesis import given

from app.identity import GROUPS, HeldMemory, IdentityEvent, erase, resolve_identity
from app.pipeline.enrichment import RecordingMemory
from tests.identity.build import DAY, RULES, identify, no, says, yes
from tests.identity.test_properties import BROWSERS, USERS, any_ways, events

KEYS = [f"user {name}" for name in USERS] + [f"anonymous {name}" for name in (*BROWSERS, *USERS)]


@pytest.mark.slow
@given(any_ways)
def test_noting_changes_nothing_of_what_is_remembered_or_filled(way: list[IdentityEvent]) -> None:
    plain, noted = HeldMemory(), HeldMemory()
    for event in way:
        before = {key: noted.person(key) for key in KEYS}
        noting = RecordingMemory(noted)
        assert resolve_identity(event, noting, RULES) == resolve_identity(event, plain, RULES)
        given_ = noting.given()
        is_changed = before != {key: noted.person(key) for key in KEYS}
        assert is_changed or (given_.groups, given_.linked, given_.erased) == ((), False, 0)
    for key in KEYS:
        assert (noted.person(key), noted.suppression(key)) == (plain.person(key), plain.suppression(key))


@given(any_ways, events())
def test_only_what_an_event_says_is_told_as_given(way: list[IdentityEvent], last: IdentityEvent) -> None:
    memory = HeldMemory()
    for event in way:
        resolve_identity(event, memory, RULES)
    noting = RecordingMemory(memory)
    resolve_identity(last, noting, RULES)
    found = last.found
    assert set(noting.given().groups) <= {name for name in GROUPS if not found.keys().isdisjoint(GROUPS[name])}


def test_an_erasure_counts_the_ids_and_a_yes_nothing() -> None:
    memory = HeldMemory()
    resolve_identity(identify(1, user="ann", anon="x", em="ann"), memory, RULES)
    resolve_identity(says(1, user="bob", em="bob"), memory, RULES)
    noting = RecordingMemory(memory)
    assert len(erase(noting, RULES, user="user ann", now=DAY)) == 2
    assert (noting.given().erased, noting.erased) == (2, memory.erased)
    refusing = RecordingMemory(memory)
    resolve_identity(no(2, user="bob"), refusing, RULES)
    assert (refusing.given().erased, refusing.given().marked) == (1, 1)
    agreeing = RecordingMemory(memory)
    resolve_identity(yes(3, user="bob"), agreeing, RULES)
    assert (agreeing.given().erased, agreeing.given().marked, agreeing.suppression("user bob")) == (0, 0, None)
