"""What has changed in what arrives: new names, and new or vanished properties of known ones."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S
from app.insights.inventory.figures import split_label
from app.outbox.inventory import Inventory
from app.pipeline.received_names import title_of

#: What changes are told by.
_TOLD_BY: Final = (Measure.RECEIVED, Measure.SAMPLED, Measure.PROPERTY)
#: A name is known, and a property is one of its own, after so many days before yesterday.
KNOWN_DAYS: Final = 3
#: So many events must have been looked into, before and lately, for something to be told of their properties.
LEAST_SAMPLED: Final = 20
#: A new property is told when it is in this part of the events, a vanished one when it was.
NEW_SHARE, VANISHED_SHARE = 0.05, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between what arrives now and what is usual."""

    key: EventKey
    what: Literal["new name", "new property", "vanished property", "changed kind"]
    #: Path and kind of the property; of a changed kind the path with the old and the new one; "" of a name.
    label: str = ""
    #: Of a new name: how often it has come.
    received: int = field(default=0, compare=False)

    @property
    def title(self) -> str:
        """The name as people read it."""
        return title_of(self.key)

    @property
    def told(self) -> str:
        """What goes behind name and source to make a sentence, but for the full stop."""
        if self.what == "new name":
            return " is new"
        told = {"new property": "is new", "vanished property": "is missing", "changed kind": "changed"}[self.what]
        return f": {self.label} {told}"

    @property
    def text(self) -> str:
        """The change in words."""
        return f"{self.title} from {self.key.source}{self.told}"


async def read_changes(inventory: Inventory, *, now: float) -> list[Change]:
    """Return what changed yesterday or today, against the days before. Raises OutboxUnavailable."""
    rows = await inventory.read(since=0, by_hour=False, counted=_TOLD_BY)
    return changes(rows, now=now)


def changes(rows: Sequence[tuple[int, InventoryCount]], *, now: float) -> list[Change]:
    """Return what changed by counts of days (their start in Unix seconds, UTC)."""
    recent_at = int(now // DAY_S - 1) * DAY_S
    began_at = min((at for at, _ in rows), default=recent_at)
    if began_at > recent_at - KNOWN_DAYS * DAY_S:
        return []  # all is new
    by_key: defaultdict[EventKey, list[tuple[int, InventoryCount]]] = defaultdict(list)
    for at, count in rows:
        if count.key.type:
            by_key[count.key].append((at, count))
    return [change for key in sorted(by_key) for change in _of_name(key, by_key[key], recent_at)]


def _of_name(key: EventKey, rows: Sequence[tuple[int, InventoryCount]], recent_at: int) -> list[Change]:
    days = {at for at, count in rows if count.counted is Measure.RECEIVED}
    if min(days, default=0) >= recent_at:
        received = sum(count.number for _, count in rows if count.counted is Measure.RECEIVED)
        return [Change(key=key, what="new name", received=received)] if days else []
    if len([day for day in days if day < recent_at]) < KNOWN_DAYS:
        return []
    before, lately, today = _Seen(rows, 0, recent_at), _Seen(rows, recent_at), _Seen(rows, recent_at + DAY_S)
    if min(before.sampled, lately.sampled) < LEAST_SAMPLED:
        return []
    latest = today if today.sampled >= LEAST_SAMPLED else lately
    new = [label for label, share in lately.shares().items() if share >= NEW_SHARE and not before.numbers[label]]
    gone = [label for label, share in before.shares().items() if share >= VANISHED_SHARE and not latest.numbers[label]]
    return [*_changed(key, new, gone)]


def _changed(key: EventKey, new: Sequence[str], gone: Sequence[str]) -> list[Change]:
    """Return the changes of the properties of a name; one that is both new and gone has changed its kind."""
    kinds: Mapping[str, str] = dict(split_label(label) for label in gone)
    paths = {split_label(label)[0] for label in new}
    found = []
    for label in sorted(new):
        path, kind = split_label(label)
        if path in kinds:
            found.append(Change(key=key, what="changed kind", label=f"{path} from {kinds[path]} to {kind}"))
        else:
            found.append(Change(key=key, what="new property", label=label))
    vanished = (label for label in sorted(gone) if split_label(label)[0] not in paths)
    return [*found, *(Change(key=key, what="vanished property", label=label) for label in vanished)]


class _Seen:
    """What was seen of a name in days that began in a span."""

    def __init__(self, rows: Sequence[tuple[int, InventoryCount]], start_at: int, end_at: float = inf) -> None:
        self.sampled = 0
        self.numbers: Counter[str] = Counter()
        for at, count in rows:
            if not start_at <= at < end_at:
                continue
            if count.counted is Measure.SAMPLED:
                self.sampled += count.number
            elif count.counted is Measure.PROPERTY:
                self.numbers[count.label] += count.number

    def shares(self) -> dict[str, float]:
        """Return in which part of the sampled events each property was."""
        return {label: number / self.sampled for label, number in self.numbers.items()}
