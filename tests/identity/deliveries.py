"""What else the rules of identity memory must hold: deliveries that are not what the event says, keys, erasures."""

import hashlib
import hmac
from collections.abc import Callable, Collection
from typing import Any

from app.identity import GROUPS
from tests.identity.build import (
    DAY,
    RULES,
    Erasure,
    Patient,
    Step,
    erase,
    filled,
    identify,
    known_after,
    no,
    public,
    says,
    yes,
)

#: Name, what happens, the `user_data` of a delivery of the last event, the groups it may get, what it gets.
DELIVERIES: list[tuple[str, list[Step], dict[str, Any], Collection[str], dict[str, Any]]] = [
    (
        "only groups that the preset leaves to memory are filled",
        [identify(0, user="ann", em="e", ge="g"), says(1, user="ann")],
        {},
        {"ge"},
        {"ge": "g"},
    ),
    (
        "a delivery of somebody else than the event's person gets no group of that person",
        [identify(0, user="ann", anon="x", em="e", ge="g", click_id="c"), says(1, user="ann", anon="x")],
        {"em": ["another"]},
        GROUPS,
        {"click": "c"},
    ),
    (
        "nor does one that leaves out what tells them apart",
        [identify(0, user="ann", anon="x", em="e", ge="g", click_id="c"), says(1, user="ann", anon="x", em="another")],
        {},
        GROUPS,
        {"click": "c"},
    ),
    (
        "a delivery of several people is left as it is",
        [identify(0, user="ann", ge="g"), says(1, user="ann")],
        {"em": ["e", "f"]},
        GROUPS,
        {},
    ),
    (
        "an identify's delivery may be of a new address",
        [identify(0, user="ann", em="e", ge="g"), identify(1, user="ann")],
        {"em": ["another"]},
        GROUPS,
        {"ge": "g"},
    ),
]


def fills(delivery: tuple[Any, ...], room: Any) -> bool:
    _, steps, user_data, groups, expected = delivery
    return bool(filled(known_after(steps, room=room), user_data, groups) == expected)


def it_is_told_how_old_it_was(room: Any) -> bool:
    known = known_after([identify(1, user="ann", em="e"), says(4, user="ann")], room=room)
    told = known.fill({}, GROUPS)
    return {group: (each.age_s, each.by) for group, each in told.items()} == {"em": (3 * DAY, "identify")}


def keys_are_hmacs(room: Any) -> bool:
    """Whatever the length of the secret: of a block of SHA-256, or of more."""
    told = []
    for secret in (b"secret", b"s" * 64, b"s" * 65):
        keys, expected = room.IdKeys(secret), hmac.new(secret, b"userId\0ann", hashlib.sha256).hexdigest()
        told.append({keys.user("ann"), keys.user(" ann ")} == {expected} != {keys.anonymous("ann")})
    return all(told)


def keys_are_of_ids(room: Any) -> bool:
    keys = room.IdKeys(b"secret")
    nothing = [None, "", " ", "undefined", "null", 0, True, 1.5, ["ann"], {"id": "ann"}]
    return (
        {keys.user(given) for given in nothing} | {keys.anonymous(given) for given in nothing} == {None}
        and keys.user(7) == keys.user("7")
        and len(keys.user("\ud800") or "") == 64
    )


def erasures_are_counted(room: Any) -> bool:
    """How many were forgotten, and a second time none."""
    memory = Patient(room.HeldMemory())
    for step in (identify(0, user="ann", em="e"), says(1, user="ann", anon="x"), says(1, anon="y", click_id="c")):
        room.resolve_identity(step, memory, RULES)
    asked = (Erasure(2, user="ann"), Erasure(2, user="ann"), Erasure(2, anon="y"), Erasure(2, anon="y"), Erasure(2))
    counts = [erase(each, memory, RULES, room) for each in asked]
    return counts == [2, 0, 1, 0, 0] and set(memory.erased) == {"user ann", "anonymous x", "anonymous y"}


def nothing_is_remembered_under_no_id(room: Any) -> bool:
    memory = Patient(room.HeldMemory())
    room.resolve_identity(says(0, em="e", click_id="c", external_id="i"), memory, RULES)
    return memory.person(None) is None


def groups_are_named_by_members(room: Any) -> bool:
    return bool(room.groups_named(["zp", "em", "click_id", "partner_id"]) == {"place", "em", "click"})


def a_full_table_of_marks_stops_remembering(room: Any) -> bool:
    """An opt-in makes room nevertheless, and an opt-out still erases."""
    memory = Patient(room.HeldMemory())
    room.resolve_identity(identify(0, user="ann", em="e"), memory, RULES)
    room.resolve_identity(no(0, anon="x"), memory, RULES)
    memory.held.is_full = True
    is_filled = bool(room.resolve_identity(says(1, user="ann"), memory, RULES).facts)
    room.resolve_identity(yes(1, anon="x"), memory, RULES)
    room.resolve_identity(identify(1, user="bob", em="f"), memory, RULES)
    room.resolve_identity(no(1, user="ann"), memory, RULES)
    memory.held.is_full = False
    told = [room.resolve_identity(says(2, user=name), memory, RULES).facts for name in ("ann", "bob")]
    return not is_filled and not any(told) and memory.suppression("anonymous x") is None


def marks_of_browsers_alone_end(room: Any) -> bool:
    """400 days after their newest no; others do not."""
    memory = Patient(room.HeldMemory())
    steps = [
        says(0, user="ann", anon="linked"),
        public(says(0, user="cay", anon="publicly")),
        *(no(day, anon=name) for name in ("alone", "linked", "publicly") for day in (2, 1)),
        *(public(no(day, anon="public")) for day in (1, 2)),
        no(2, anon="both"),
        public(no(1, anon="both")),
        no(1, user="ann", anon="named"),
        no(1, anon="named"),
        no(1, anon="later"),
        no(2, user="ann", anon="later"),
        public(says(3, user="bob", anon="of bob")),
        public(no(4, anon="of bob")),
    ]
    for step in steps:
        room.resolve_identity(step, memory, RULES)
    names = ("alone", "public", "linked", "publicly", "both", "named", "later", "of bob")
    ends = [memory.suppression(f"anonymous {name}").ends_at for name in names]
    return ends == [402 * DAY, 402 * DAY, None, 402 * DAY, 402 * DAY, None, None, None]


CHECKS: list[Callable[[Any], bool]] = [
    *((lambda room, each=each: fills(each, room)) for each in DELIVERIES),
    it_is_told_how_old_it_was,
    keys_are_hmacs,
    keys_are_of_ids,
    erasures_are_counted,
    nothing_is_remembered_under_no_id,
    groups_are_named_by_members,
    a_full_table_of_marks_stops_remembering,
    marks_of_browsers_alone_end,
]
