"""The stored inventory: counts by hour and by day of each event name.

The number of names is limited: beyond the limit the rarest names are dropped, and their counts are added to the others
of their source. The properties of a name per day are limited too.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.core.events import EventKey, InventoryCount, Measure
from app.core.trust import public_share
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.rows import as_json, kept
from app.outbox.statements import Statements, UsesStore, reads

#: The retention of counts by hour: enough for the same hour of eight days.
HOURS_KEPT_S: Final = 9 * DAY_S
#: The maximum of properties of a name per day, and their maximum length.
MAX_PROPERTIES: Final = 64
#: The placeholder for names beyond the limit; no event has this name with an empty type.
OTHERS: Final = "*"


class NameCount(NamedTuple):
    """The number of deliveries with one name, day of arrival and state."""

    #: As received: the value of `Query.name`.
    name: str
    source: str
    #: In days since 1970 (UTC).
    day: int
    #: `waiting`, or a settled `State`.
    state: str
    number: int


class Inventory(UsesStore):
    """Events by name, and the states of their deliveries. Every method may raise OutboxUnavailable."""

    @abstractmethod
    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        """Commit counts of events that arrived at about `now`. Beyond `max_names`, the most frequent names stay.

        Names with only public events are limited to `public_share`, so that they replace no other names.

        After an error, some of many counts may be committed.
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
        """Return (start of the hour or day in Unix seconds, count), the earliest first, for periods since a time.

        `since` is the minimum start. `by_hour` returns hours, which are stored for nine days without properties;
        otherwise days are returned. `key` limits the result to one kind of event.
        """
        source, type_, name = map(kept, key) if key else (None, None, None)
        asked = {"source": source, "type": type_, "name": name, "counted": list(counted)}
        span_s = HOUR_S if by_hour else DAY_S
        return list(map(_count_of, await store.rows("inventory", span_s=span_s, since=since, **asked)))

    @reads
    async def name_counts(
        self, store: Statements, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int
    ) -> list[NameCount]:
        """Return the states of the deliveries of names, each (name as received, source), that arrived on these days.

        The numbers always equal those of `Outbox.search`.
        """
        rows = await store.rows("name_counts", rows=as_json(names), first_day=first_day, last_day=last_day)
        return list(map(NameCount._make, rows))


async def add_to_inventory(store: Statements, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows of `inventory_rows`."""
    await store.count("add_to_inventory", rows=as_json(rows))


async def keep_bounds(store: Statements, now: float, max_names: int) -> None:
    """Add the counts of names beyond the limit to the others, and delete properties beyond the limit."""
    ((trusted,),) = await store.rows("trusted_names")
    bounds = {"max_names": max_names, "public_names": public_share(max_names, trusted=trusted)}
    if many := await store.rows("too_many_names", **bounds):
        names = as_json(many)
        await store.count("count_as_others", rows=names, others=OTHERS)
        await store.count("forget_names", rows=names)
    await store.count("forget_properties", day=int(now // DAY_S * DAY_S), max_properties=MAX_PROPERTIES)


def inventory_rows(counts: Sequence[InventoryCount], now: float) -> list[list[Any]]:
    """Return the rows to add for counts: one of the day for each, and one of the hour except for properties."""
    rows = []
    hour, day = int(now // HOUR_S * HOUR_S), int(now // DAY_S * DAY_S)
    for key, counted, label, number in counts:
        rows.append([DAY_S, counted, day, *key, label, number])
        if counted is not Measure.PROPERTY:
            rows.append([HOUR_S, counted, hour, *key, label, number])
    # The same order in every process prevents deadlocks.
    return sorted(rows)


def _count_of(row: Sequence[Any]) -> tuple[int, InventoryCount]:
    start_at, source, type_, name, counted, label, number = row
    return start_at, InventoryCount(EventKey(source, type_, name), Measure(counted), label, number)
