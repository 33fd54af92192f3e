"""What holds of identity memory whatever happens."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.identity import GROUPS, HeldMemory, IdentityEvent, resolve_identity
from app.identity.facts import NOBODY, OF_PERSON
from app.identity.memory import TrustedMemory
from tests.identity.build import DAY, RULES, no, public, says, withheld, yes

USERS, BROWSERS = ("ann", "bob", "cay"), ("x", "y", "z")
days = st.integers(0, 400).map(lambda quarter: quarter / 4)


@st.composite
def events(draw: st.DrawFn, *, kinds: tuple[str, ...] = ("track", "page", "identify", "group")) -> IdentityEvent:
    """An event; what it says of a person is marked with the user's name, so that it is known again."""
    user = draw(st.none() | st.sampled_from(USERS))
    said: dict[str, Any] = {}
    if user:
        values = st.sampled_from((f"{user} 1", f"{user} 2"))
        said = draw(st.fixed_dictionaries({}, optional={"em": values, "ph": values, "fn": values, "ct": values}))
    clicks = st.fixed_dictionaries({}, optional={"click_id": st.sampled_from(("c", "d"))})
    flags = st.fixed_dictionaries({}, optional=dict.fromkeys(("is_withheld", "is_opt_out", "is_opt_in"), st.booleans()))
    kind = draw(st.sampled_from(kinds))
    previous = draw(st.sampled_from((*USERS, *BROWSERS))) if kind == "alias" else None
    anon = draw(st.none() | st.sampled_from(BROWSERS))
    return says(draw(days), kind, user=user, anon=anon, previous=previous, **said, **draw(clicks), **draw(flags))


ways = st.lists(events(), min_size=1, max_size=25)
any_ways = st.lists(events(kinds=("track", "identify", "alias", "group")), min_size=1, max_size=25)
#: An alias changes most: who is known, who is linked, and who opted out. Few names, so that they meet.
aliases = st.lists(
    st.builds(
        says,
        st.integers(0, 6),
        st.just("alias"),
        user=st.sampled_from((None, "ann", "bob")),
        anon=st.sampled_from((None, "ann", "x")),
        previous=st.sampled_from(("ann", "x")),
        is_withheld=st.booleans(),
        is_opt_out=st.booleans(),
        is_opt_in=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def after(way: list[IdentityEvent]) -> HeldMemory:
    memory = HeldMemory()
    for event in way:
        resolve_identity(event, memory, RULES)
    return memory


@given(ways)
def test_nothing_that_one_user_said_reaches_the_delivery_of_another(way: list[IdentityEvent]) -> None:
    memory = HeldMemory()
    for event in way:
        facts = resolve_identity(event, memory, RULES).facts
        of_person = [facts[group].members for group in OF_PERSON if group in facts]
        told = {value.split()[0] for members in of_person for values in members.values() for value in values}
        if event.user:
            assert told <= {event.user.removeprefix("user ")}
        assert len(told) <= 1


@given(any_ways)
def test_what_fills_was_said_before_and_not_too_long_ago(way: list[IdentityEvent]) -> None:
    memory = HeldMemory()
    said: set[tuple[str, float]] = set()
    for event in way:
        said |= {(group, event.at) for group, names in GROUPS.items() if not event.found.keys().isdisjoint(names)}
        for group, fact in resolve_identity(event, memory, RULES).facts.items():
            assert (group, fact.at) in said
            assert 0 <= event.at - fact.at <= (60 if group == "click" else 90) * DAY


@given(any_ways | aliases)
@example([no(1, "alias", user="ann", previous="ann"), yes(1.25, "alias", previous="ann")])
@example([no(1, user="ann"), no(1, anon="ann"), no(1, anon="x"), yes(2, "alias", anon="x", previous="ann")])
@example(
    [
        says(0, "group", user="ann", anon="x"),
        says(0, user="cay", anon="ann"),
        withheld(1, "alias", user="bob", anon="x", previous="ann"),
    ]
)
@example([yes(1, "alias", user="ann", previous="ann", em=["ann 1", "ann 2"])])
@example([says(0, "alias", user="cay", anon="x", previous="cay"), no(0, "alias", user="cay", previous="ann")])
def test_an_event_that_comes_twice_changes_nothing(way: list[IdentityEvent]) -> None:
    twice = [event for each in way for event in (each, each)]
    assert vars(after(twice)) == vars(after(way))


@given(any_ways, any_ways, st.sampled_from(BROWSERS))
def test_whoever_said_no_is_neither_remembered_nor_told_until_saying_yes(
    before: list[IdentityEvent], later: list[IdentityEvent], browser: str
) -> None:
    memory = after(before)
    resolve_identity(says(200, anon=browser, is_opt_out=True), memory, RULES)
    key = f"anonymous {browser}"
    for event in later:
        said_yes = event.is_opt_in and event.anonymous == key
        known = resolve_identity(event, memory, RULES)
        if event.anonymous == key and not said_yes:
            assert known.facts == {}
        held = memory.person(key)
        assert said_yes or not held or not held.facts


#: Events of both kinds, many of them about the same few ids.
mixed_ways = st.lists(
    st.builds(
        replace,
        events(kinds=("track", "identify", "alias", "group")),
        at=st.integers(0, 400).map(lambda quarter: quarter / 4 * DAY),
        is_trusted=st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


@given(mixed_ways, st.sampled_from(("everyone", "authenticated")))
@example(
    [public(says(1, user="ann", anon="y")), no(2, "alias", previous="y"), no(3, user="ann")],
    "everyone",
)
def test_public_events_change_nothing_of_what_trusted_ones_alone_would_have_given(
    way: list[IdentityEvent], users_from: str
) -> None:
    """But for an opt-out, which holds for the user to whom a trusted event linked its browser (the next property)."""
    rules = RULES.model_copy(update={"remember_users_from": users_from})
    way = [event if event.is_trusted else replace(event, is_opt_out=False) for event in way]
    mixed, alone = HeldMemory(), HeldMemory()
    for event in way:
        known = resolve_identity(event, mixed, rules)
        if event.is_trusted:
            assert known == resolve_identity(event, alone, rules)
    seen = TrustedMemory(mixed)
    for key in (*(f"user {name}" for name in USERS), *(f"anonymous {name}" for name in (*USERS, *BROWSERS))):
        marks = (seen.suppression(key), alone.suppression(key))
        assert (seen.person(key) or NOBODY) == (alone.person(key) or NOBODY)
        assert [(mark.opt_outs, mark.ends_at) for mark in marks[:1] if mark] == [
            (mark.opt_outs, mark.ends_at) for mark in marks[1:] if mark
        ]


@given(mixed_ways)
def test_public_nos_change_nothing_for_trusted_events_where_these_link_no_browser(way: list[IdentityEvent]) -> None:
    mixed, alone = HeldMemory(), HeldMemory()
    for each in way:
        event = replace(each, anonymous=None, previous=None) if each.is_trusted and each.user else each
        event = replace(event, previous=None) if event.is_trusted else event
        known = resolve_identity(event, mixed, RULES)
        if event.is_trusted:
            assert known == resolve_identity(event, alone, RULES)


@given(any_ways)
def test_what_is_withheld_leaves_no_fact(way: list[IdentityEvent]) -> None:
    memory = HeldMemory()
    for event in way:
        resolve_identity(says(event.at / DAY, event.kind, is_withheld=True), memory, RULES)
    assert vars(memory) == vars(HeldMemory())
