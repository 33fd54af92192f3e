"""However many ids are linked to one, in chains of aliases or circles: an event of theirs costs no more than before."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from app.identity import IdentityEvent, LoadedMemory, resolve_identity
from app.outbox import Outbox, open_outbox
from app.outbox.people import MAX_LINKED
from tests.identity.build import RULES
from tests.outbox.build import NOW, rules

#: As many as make a difference: a user keeps MAX_LINKED ids, chains are followed for eight steps.
EVENTS = 5 * MAX_LINKED // 2


def storm(number: int, **said: Any) -> IdentityEvent:
    found = {"em": [f"{number % 2:064x}"], "click_id": str(number)}
    return replace(IdentityEvent(kind="track", at=NOW + number, found=found), **said)


def alias(number: int, previous: object, user: object) -> IdentityEvent:
    return storm(number, kind="alias", user=f"u{user}", previous=(f"u{previous}", f"a{previous}"))


STORMS: dict[str, Callable[[int], IdentityEvent]] = {
    "one browser with a user for each event": lambda number: storm(number, user=f"u{number}", anonymous="a"),
    "one user with a browser for each event": lambda number: storm(number, user="u", anonymous=f"a{number}"),
    "a chain of aliases, each of the last": lambda number: alias(number, number, number + 1),
    "a chain of aliases, each before the last": lambda number: alias(number, number + 1, number),
    "aliases of one user": lambda number: alias(number, number + 1, 0),
    "a circle of aliases": lambda number: alias(number, number % 12, (number + 1) % 12),
    "noes of one user with a browser for each event": lambda number: storm(
        number, user="u", anonymous=f"a{number}", is_opt_out=number % 9 == 8
    ),
}


class Asked(LoadedMemory):
    """Counts what the rules ask."""

    count = 0

    def person(self, key: str) -> Any:
        self.count += 1
        return super().person(key)


async def cost(outbox: Outbox, event: IdentityEvent) -> int:
    """Rows that are read and written, and questions of the rules, for one event in a request of its own."""
    memory = Asked(RULES)
    keys = [key for key in (event.user, event.anonymous, *(event.previous or ())) if key]
    found = await outbox.people(keys)
    memory.add(keys, found)
    resolve_identity(event, memory, RULES)
    changes = memory.changes()
    await outbox.enqueue([], [], [], now=NOW, people=changes)
    return len(found.people) + memory.count + (len(changes.people) + len(changes.suppressions) if changes else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", STORMS)
async def test_an_event_of_a_storm_costs_no_more_than_one_of_its_beginning(outbox_url: str, name: str) -> None:
    outbox = open_outbox(outbox_url, rules(remember_s=10**9, remember_max_people=10**6), clock=lambda: NOW)
    try:
        costs = [await cost(outbox, STORMS[name](number)) for number in range(EVENTS)]
    finally:
        await outbox.close()
    beginning, end = costs[: EVENTS // 2], costs[EVENTS // 2 :]
    assert max(end) <= max(beginning)
    assert max(costs) < 12 * MAX_LINKED
