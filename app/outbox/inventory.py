"""The inventory as a store keeps it: counts by hour and by day of each name that events arrive under.

Names are bounded: beyond a number of them the rarest are forgotten, and what became of their events is counted as that
of the others of their source. So are the properties of a name on one day.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.rows import kept

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


class Inventory(Protocol):
    """What arrives, by name, and where its deliveries stand. Every method may raise OutboxUnavailable."""

    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        """Commit counts of events that arrived about `now`. Of more names than `max_names` the most frequent stay.

        Names of public events only take no place of others: they have `public_share` of them.

        Where it fails, some of many counts may have been committed.
        """

    async def read(
        self, *, since: float, by_hour: bool, counted: Sequence[Measure], key: EventKey | None = None
    ) -> list[tuple[int, InventoryCount]]:
        """Return (start of the hour or day in Unix seconds, count), the earliest first, of spans that begin since then.

        `by_hour` asks for hours, which are kept for nine days and know no properties; else days are returned. `key`
        restricts it to one kind of event.
        """

    async def name_counts(self, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int) -> list[NameCount]:
        """Return where the deliveries of some names stand, each (name as received, source), that came on these days.

        They are as many as `Outbox.search` finds, at all times.
        """


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


def inventory_count(row: Sequence[Any]) -> tuple[int, InventoryCount]:
    """Read a row of an engine's query `inventory`."""
    start_at, source, type_, name, counted, label, number = row
    return start_at, InventoryCount(EventKey(source, type_, name), Measure(counted), label, number)


def inventory_query(since: float, counted: Sequence[Measure], key: EventKey | None, *, by_hour: bool) -> dict[str, Any]:
    """Return the parameters of an engine's query `inventory`, but for how it takes a set."""
    source, type_, name = map(kept, key) if key else (None, None, None)
    span_s = HOUR_S if by_hour else DAY_S
    return {"span_s": span_s, "since": since, "counted": list(counted), "source": source, "type": type_, "name": name}
