"""The inventory as a store keeps it: counts by hour and by day of each name that events arrive under.

Names are bounded: beyond a number of them the rarest are forgotten, and what became of their events is counted as that
of the others of their source. So are the properties of a name on one day.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.core.events import EventKey, InventoryCount, Measure
from app.core.trust import public_share
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.rows import as_json, kept
from app.outbox.statements import Statements, UsesStore, reads

#: Counts by hour are kept for so long: enough for the same hour of eight days.
HOURS_KEPT_S: Final = 9 * DAY_S
#: So many properties of a name are kept for one day, and this is how long each may be.
MAX_PROPERTIES: Final = 64
#: Stands in the place of names that are too many; no event has it with an empty type.
OTHERS: Final = "*"


class NameCount(NamedTuple):
    """How many deliveries there are of one name that came on one day and stand alike."""

    #: As received: what `Query.name` looks for.
    name: str
    source: str
    #: Counted from 1970 (UTC).
    day: int
    #: `waiting`, or a `State` that is settled.
    state: str
    number: int


class Inventory(UsesStore):
    """What arrives, by name, and where its deliveries stand. Every method may raise OutboxUnavailable."""

    @abstractmethod
    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        """Commit counts of events that arrived about `now`. Of more names than `max_names` the most frequent stay.

        Names of public events only take no place of others: they have `public_share` of them.

        Where it fails, some of many counts may have been committed.
        """

    @reads
    async def read(
        self,
        store: Statements,
        *,
        since: float,
        by_hour: bool,
        counted: Sequence[Measure],
        key: EventKey | None = None,
    ) -> list[tuple[int, InventoryCount]]:
        """Return (start of the hour or day in Unix seconds, count), the earliest first, of spans that begin since then.

        `by_hour` asks for hours, which are kept for nine days and know no properties; else days are returned. `key`
        restricts it to one kind of event.
        """
        source, type_, name = map(kept, key) if key else (None, None, None)
        asked = {"source": source, "type": type_, "name": name, "counted": list(counted)}
        span_s = HOUR_S if by_hour else DAY_S
        return list(map(_count_of, await store.rows("inventory", span_s=span_s, since=since, **asked)))

    @reads
    async def name_counts(
        self, store: Statements, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int
    ) -> list[NameCount]:
        """Return where the deliveries of some names stand, each (name as received, source), that came on these days.

        They are as many as `Outbox.search` finds, at all times.
        """
        rows = await store.rows("name_counts", rows=as_json(names), first_day=first_day, last_day=last_day)
        return list(map(NameCount._make, rows))


async def add_to_inventory(store: Statements, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows of `inventory_rows`."""
    await store.count("add_to_inventory", rows=as_json(rows))


async def keep_bounds(store: Statements, now: float, max_names: int) -> None:
    """Count what is too much of names as that of others, and forget properties that are too many."""
    ((trusted,),) = await store.rows("trusted_names")
    bounds = {"max_names": max_names, "public_names": public_share(max_names, trusted=trusted)}
    if many := await store.rows("too_many_names", **bounds):
        names = as_json(many)
        await store.count("count_as_others", rows=names, others=OTHERS)
        await store.count("forget_names", rows=names)
    await store.count("forget_properties", day=int(now // DAY_S * DAY_S), max_properties=MAX_PROPERTIES)


def inventory_rows(counts: Sequence[InventoryCount], now: float) -> list[list[Any]]:
    """Return the rows that are added for counts: one of the day for each, and one of the hour but for properties."""
    rows = []
    hour, day = int(now // HOUR_S * HOUR_S), int(now // DAY_S * DAY_S)
    for key, counted, label, number in counts:
        rows.append([DAY_S, counted, day, *key, label, number])
        if counted is not Measure.PROPERTY:
            rows.append([HOUR_S, counted, hour, *key, label, number])
    # In one order everywhere: two processes then never wait for each other.
    return sorted(rows)


def _count_of(row: Sequence[Any]) -> tuple[int, InventoryCount]:
    start_at, source, type_, name, counted, label, number = row
    return start_at, InventoryCount(EventKey(source, type_, name), Measure(counted), label, number)
