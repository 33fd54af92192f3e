"""Whatever is called, in whatever order, every engine answers the same."""

import asyncio
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.pages import Query
from app.core.people import PeopleFound
from app.errors import PinrelayError
from app.outbox import open_outbox
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, rules
from tests.outbox.new_store import new_store
from tests.outbox.postgres_server import PostgresServer
from tests.outbox.random_calls import Side, read, write
from tests.rounds import examples

#: How the clock moves from one call to the next.
MOVES: Final = [0.0, 0.0, 0.25, 1.0, 31.0, 59.9, HOUR_S, -1.0, -HOUR_S]
#: What is of one store alone; of the largest of equal orders, anyone's.
OWN: Final = frozenset({"claim", "full_in_s", "disk_bytes", "largest_id", "id", "next_cursor", "prev_cursor"})
BOUNDS: Final[dict[str, Any]] = {"dedup_window_s": 100, "ledger_s": 2 * DAY_S, "ledger_delivered_s": 2 * DAY_S}
MEMORY: Final[dict[str, Any]] = {"remember_s": 2 * DAY_S, "remember_click_s": DAY_S, "remember_max_people": 4}


def told(answer: Any, ids: dict[str, int]) -> Any:
    """An answer without what is of one store alone, and with the places of deliveries for their ids.

    What is only foreseen has none.
    """
    if isinstance(answer, PeopleFound):
        return sorted(map(str, answer.people)), answer.suppressions, answer.is_full
    if isinstance(answer, msgspec.Struct):
        answer = msgspec.structs.asdict(answer)
    elif is_dataclass(answer) and not isinstance(answer, type):
        answer = {each.name: getattr(answer, each.name) for each in fields(answer)}
    if isinstance(answer, dict):
        kept = {name: ids[each] if name == "delivery_id" else each for name, each in answer.items() if name not in OWN}
        return {name: told(each, ids) for name, each in kept.items()}
    if isinstance(answer, list | tuple):
        return [told(each, ids) for each in answer]
    if isinstance(answer, str):
        return re.sub(r"delivery (\d+)", lambda found: f"delivery number {ids.get(found[1])}", answer)
    if isinstance(answer, bytes):
        return json.loads(answer)
    return round(answer, 5) if isinstance(answer, float | Decimal) else answer


async def answer(side: Side, call: Callable[[Side], Awaitable[Any]], *, changes: bool) -> Any:
    """What a call comes to: its answer, or the kind of its error."""
    try:
        given = await call(side)
        if changes:
            for each in reversed((await side.at.outbox.search(Query(), limit=1_000)).deliveries):
                side.ids.setdefault(each.delivery_id, len(side.ids))
        return told(given, side.ids)
    except PinrelayError as exc:
        return type(exc).__name__


async def are_alike(urls: Sequence[str], seed: int, *, calls: int) -> None:
    rng = Random(seed)
    given = rules(
        payload_s=rng.choice([0, DAY_S]),
        order_scope="source" if rng.random() < 0.5 else "account",
        room_for=30,
        **BOUNDS,
        **MEMORY,
    )
    sides = [Side(At(open_outbox(url, given, clock=lambda: NOW))) for url in urls]
    now, was = NOW, ""
    try:
        for number in range(calls):
            name, change = write(rng, number, now)
            # An engine may forget whole days only: so it is midnight when something is forgotten.
            now += rng.choice(MOVES) + (0.125 if was == "retain" else 0)
            now = ceil(now / DAY_S + 3 * rng.random()) * DAY_S if name == "retain" else now
            for side in sides:
                side.at = At(side.at.outbox, now)
            for asked, call in ({name: change} | read(rng, number)).items():
                one, other = [await answer(side, call, changes=asked == name) for side in sides]
                if asked.endswith("unordered"):
                    one, other = sorted(one, key=str), sorted(other, key=str)
                assert one == other, (seed, number, asked)
            was = name
    finally:
        for side in sides:
            await side.at.outbox.close()


@pytest.mark.whole
@pytest.mark.prove
def test_every_engine_answers_any_calls_alike(postgres_server: PostgresServer, template: str, tmp_path: Path) -> None:
    numbers = itertools.count()

    @settings(max_examples=examples(20), deadline=None)
    @given(seed=st.integers(0, 10**6))
    def check(seed: int) -> None:
        with postgres_server.database(template) as url:
            asyncio.run(are_alike([new_store(tmp_path, f"{next(numbers)}.db"), url], seed, calls=25))

    check()
