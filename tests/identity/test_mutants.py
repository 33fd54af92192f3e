"""No rule of identity memory can be changed without a scene or a journey that fails."""

import math
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import orjson
import pytest

from app import assemble
from app.identity import GROUPS, IdentityEvent
from app.pipeline.identity_events import own_time
from app.source import Arrival, read_event
from tests import assembled
from tests.identity.build import RULES, Patient, filled, told
from tests.identity.deliveries import CHECKS
from tests.identity.journeys import SETTINGS, rows
from tests.identity.mutants import Mutant, modules, mutants, mutated
from tests.identity.scenes import PLAYED

#: Mutants that change nothing which can be seen, each with its reason.
EQUIVALENT = {
    name: reason
    for reason, names in {
        "nobody sets a mark through it: an opt-out looks at both kinds of events": (
            "memory: self._memory.set_suppression(key, suppression) -> pass",
        ),
        "a bound of work: no scene has a thousand ids": (
            "suppression: 100 -> 101",
            "alias_graph: 1000 -> 1001",
            "alias_graph: key not in found and len(found) < MAX_IDS -> key not in found",
            "alias_graph: len(found) < MAX_IDS -> len(found) <= MAX_IDS",
        ),
        "a second look at an id that was seen changes nothing; in a circle it would not end": (
            "alias_graph: if key not in found and len(found) < MAX_IDS: -> if True:",
            "alias_graph: key not in found and len(found) < MAX_IDS -> key not in found or len(found) < MAX_IDS",
            "alias_graph: key not in found and len(found) < MAX_IDS -> len(found) < MAX_IDS",
            "suppression: if linked not in found: -> if True:",
        ),
        "nothing is remembered under None": (
            (
                "resolution: link_of(memory, event.anonymous, at, rules) if event.anonymous else None -> "
                "link_of(memory, event.anonymous, at, rules)"
            ),
            (
                "resolution: ids_of(memory, user, event.at, rules, until=event.at) if user else () -> "
                "ids_of(memory, user, event.at, rules, until=event.at)"
            ),
            "resolution: memory.person(user) if user else None -> memory.person(user)",
            (
                "resolution: memory.person(event.anonymous) if event.anonymous else None -> "
                "memory.person(event.anonymous)"
            ),
        ),
        "of two of the same moment either may be taken": (
            "resolution: fact.at > newest[group].at -> fact.at >= newest[group].at",
            "resolution: fact.at > facts[group].at -> fact.at >= facts[group].at",
            "resolution: fact.at > newest.at -> fact.at >= newest.at",
        ),
        "it only saves work": (
            "id_keys: 8192 -> 8193",
            "alias_graph: if person is None or person.link is None: -> if False:",
            "alias_graph: person is None or person.link is None -> person is None",
            "resolution: if memory.has_suppressions: -> if True:",
            (
                "resolution: memory.has_suppressions and is_suppressed(event, seen, rules) -> "
                "is_suppressed(event, seen, rules)"
            ),
            "memory: if facts is person.facts and link is person.link: -> if False:",
            "memory: if not all((fact.is_trusted for fact in facts.values())): -> if True:",
            "memory: if public: -> if True:",
            "suppression: keys if key in browsers else () -> keys",
            (
                "facts: fact.members == members or all((_same(fact.members.get(name), value) for name, value in "
                "members.items())) -> all((_same(fact.members.get(name), value) for name, value in members.items()))"
            ),
            "memory: if before is not person.link: -> if True:",
            "memory: if suppression: -> if True:",
            (
                "facts: one == other or (type(one) is list and type(other) is list and (set(one) == set(other))) -> "
                "type(one) is list and type(other) is list and (set(one) == set(other))"
            ),
            "facts: not self.facts or are_several(user_data) -> are_several(user_data)",
            (
                "alias_graph: chain(memory, user, at, rules) if target and target.link else [user] -> "
                "chain(memory, user, at, rules)"
            ),
            "alias_graph: target and target.link -> target",
            "resolution: if event.user: -> if True:",
            "resolution: own is None or own.link is None -> own is None",
            (
                "resolution: memory.person(end_of(memory, user, at, rules)) or own -> "
                "memory.person(end_of(memory, user, at, rules))"
            ),
            (
                "alias_graph: before.to != user and end_of(memory, before.to, at, rules) != users[-1] -> "
                "end_of(memory, before.to, at, rules) != users[-1]"
            ),
        ),
    }.items()
    for name in names
}


def test_each_equivalent_mutant_is_of_a_module_that_there_is() -> None:
    assert {name.partition(": ")[0] for name in EQUIVALENT} <= {*modules()}


@pytest.mark.prove
@pytest.mark.parametrize("module", modules())
def test_each_change_of_a_rule_is_noticed(module: str) -> None:
    unnoticed = {mutant.name for mutant in mutants(module) if is_unnoticed(mutant)}
    assert unnoticed == {name for name in EQUIVALENT if name.startswith(f"{module}: ")}


def is_unnoticed(mutant: Mutant) -> bool:
    try:
        with mutated(mutant) as room:
            scenes = all(told(steps, rules=rules, room=room) == expected for _, steps, expected, rules in PLAYED)
            return scenes and all(check(room) for check in CHECKS) and all(memory_of_journeys(room))
    except Exception:  # noqa: BLE001 - whatever it is, it is noticed
        return False


def memory_of_journeys(room: ModuleType) -> Iterator[bool]:
    memory, rules = Patient(room.HeldMemory(), 1_000_000), RULES
    for event, expected in journeys():
        known = room.NOTHING_KNOWN
        if event.kind == "delete":
            room.erase(memory, rules, user=event.user, anonymous=event.anonymous, now=event.at)
        else:
            known = room.resolve_identity(event, memory, rules)
        if isinstance(expected, dict):
            given = {group for group, each in expected.items() if each["from"] == "memory"}
            yield filled(known, event.found, GROUPS).keys() == given


@cache
def journeys() -> list[tuple[IdentityEvent, Any]]:
    settings, catalog = assembled.settings(**SETTINGS), assembled.shipped_catalog()
    read = assemble.identity_event_reader(settings)
    events = [(read_event(orjson.loads(orjson.dumps(row.event)), Arrival.at(0)), row.expected) for row in rows()]
    return [
        (read(event, catalog, now=own_time(event, math.inf), is_trusted=True)[0], expected)
        for event, expected in events
    ]
