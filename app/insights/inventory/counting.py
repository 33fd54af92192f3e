"""Count received events and their outcomes by name, in bounded memory, and write the counts to the store.

Some events are sampled: their properties, with types, and the data that Pinterest needs. Names and types only: no value
leaves this module.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias

from app.catalog import Catalog
from app.core.events import Event, EventKey, InventoryCount, Measure, Outcome
from app.core.log import log_error
from app.core.receipts import PresetResult, Receipt
from app.core.trust import public_share
from app.core.values.event_names import CHECKOUT, named_by
from app.destination import phones_as_given
from app.errors import EventRefused, MappingError
from app.insights.product_feed import ProductCheck
from app.outbox.inventory import MAX_PROPERTIES, OTHERS, Inventory
from app.pipeline.received_names import kept_name
from app.sender.shutdown import WritingTask
from app.source import Intake

#: Data that the mapping must find, with its place in the mapping.
LOOKED_FOR: Final[Mapping[str, tuple[str, str]]] = {
    "value": ("custom_data", "value"),
    "currency": ("custom_data", "currency"),
    "order id": ("custom_data", "order_id"),
    "product ids": ("custom_data", "content_ids"),
    "e-mail": ("user_data", "email"),
    "phone": ("user_data", "phone"),
    "external id": ("user_data", "external_id"),
    "click id": ("user_data", "click_id"),
    "IP address": ("user_data", "client_ip_address"),
    "user agent": ("user_data", "client_user_agent"),
}

#: The objects with an event's own data.
_ROOTS: Final = ("properties", "traits")
_MAX_DEPTH: Final = 4
_KINDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "yes or no",
    dict: "object",
    list: "list",
    type(None): "nothing",
}
_OTHER: Final = "other"
#: Possible last words of a property's label, after a blank.
KINDS: Final = (*_KINDS.values(), _OTHER)


def properties_of(event: Event) -> list[str]:
    """Return the path and type of each property, such as `properties.products[].price number`; 64 at most."""
    found: dict[str, None] = {}
    for root in _ROOTS:
        for path, kind in _members(event.get(root), root, 1):
            found[f"{path} {kind}"] = None
            if len(found) == MAX_PROPERTIES:
                return list(found)
    return list(found)


def _members(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each member of an object with its type, and the inner members; of a list, those of its first item."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return
    for name, member in value.items():
        at = f"{path}.{kept_name(name)}"
        yield at, _KINDS.get(type(member), _OTHER)
        if isinstance(member, list) and member:
            at, member = f"{at}[]", member[0]  # noqa: PLW2901 - it goes on with the first of them
            if not isinstance(member, dict):
                yield at, _KINDS.get(type(member), _OTHER)
        yield from _members(member, at, depth + 1)


class Sampler:
    """Returns the data that the running presets find in an event."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def found_in(self, event: Event) -> list[str]:
        """Return the found members of LOOKED_FOR, by the first matching preset, otherwise by the defaults.

        CHECKOUT is included if a preset sends the event as a checkout.
        """
        catalog = self._catalog()
        presets = catalog.matching(event)
        try:
            fields = (presets[0].mapping if presets else catalog.defaults).resolve(event) or {}
        except MappingError:
            return []
        groups = {name: fields.get(name) or {} for name in ("user_data", "custom_data")}
        if isinstance(who := groups["user_data"], dict):
            groups["user_data"] = who | {"phone": phones_as_given(who.get("phone"), fields.get("person_blocks"))}
        found = [
            label
            for label, (group, member) in LOOKED_FOR.items()
            if isinstance(groups[group], dict) and groups[group].get(member) not in (None, "", [], {})
        ]
        return [*found, CHECKOUT] if presets and fields.get("event_name") == CHECKOUT else found


#: Maximum number of immediately sampled events between two writes: of a name, and of all names together.
EARLY_OF_A_NAME: Final = 20
EARLY_OF_ALL: Final = 500
#: After that, a random event out of this number is sampled.
ONE_IN: Final = 128

#: The names in an event: source, type, name; and whether its author is trusted.
_Given: TypeAlias = tuple[str, str, str, bool]
#: Counts by outcome and preset; `None` counts events.
_Counts: TypeAlias = dict[tuple[Outcome, str | None] | None, int]


class NameCounted:
    """The counts of a name since the last write."""

    __slots__ = ("counts", "found", "is_trusted", "key", "products", "properties", "sample_at", "sampled", "weight")

    def __init__(self, key: EventKey, weight: int = 0, *, is_trusted: bool) -> None:
        self.key = key
        self.is_trusted = is_trusted
        #: The number of events, including those of earlier names in the same place.
        self.weight = weight
        #: The weight at which the next event is sampled.
        self.sample_at = weight + 1
        self.sampled = 0
        #: Emptied in place, because a name without a place shares the counts of the others.
        self.counts: _Counts = {}
        self.found: Counter[str] = Counter()
        self.properties: Counter[str] = Counter()
        self.products: Counter[str] = Counter()

    def count(self, lines: Sequence[PresetResult], number: int = 1) -> None:
        """Count `number` events, with their outcomes."""
        counts = self.counts
        counts[None] = counts.get(None, 0) + number
        for line in lines:
            way = line.outcome, line.preset
            counts[way] = counts.get(way, 0) + number

    def lose_place(self, others: "NameCounted") -> None:
        """Move the counts, present and future, to those of the others."""
        for way, number in self.counts.items():
            others.counts[way] = others.counts.get(way, 0) + number
        self.counts = others.counts

    def take(self) -> Iterator[InventoryCount]:
        """Yield the counts since the last call, and reset them."""
        outcomes: Counter[tuple[Measure, str]] = Counter()
        for way, number in self.counts.items():
            if way is None:
                outcomes[Measure.RECEIVED, ""] += number
                if not self.is_trusted:
                    outcomes[Measure.PUBLIC, ""] += number
                continue
            outcome, preset = way
            outcomes[Measure.OUTCOME, outcome.value] += number
            if preset:
                outcomes[Measure.PRESET, preset] += number
        if self.sampled:
            outcomes[Measure.SAMPLED, ""] = self.sampled
        yield from (InventoryCount(self.key, counted, label, number) for (counted, label), number in outcomes.items())
        yield from (InventoryCount(self.key, Measure.FOUND, label, number) for label, number in self.found.items())
        yield from (InventoryCount(self.key, Measure.PROPERTY, at, number) for at, number in self.properties.items())
        yield from (InventoryCount(self.key, Measure.CATALOGUE, as_, number) for as_, number in self.products.items())
        self.counts.clear()
        self.found.clear()
        self.products.clear()
        self.properties.clear()
        self.sampled, self.sample_at = 0, self.weight + 1


class NameCounts:
    """All names that a process has counted: a `Listener` of the pipeline."""

    is_on = True

    def __init__(self, sampler: Sampler, rng: Random, *, max_names: int, products: ProductCheck | None = None) -> None:
        self._sampler = sampler
        #: Looks up products in the product feed.
        self.products = products
        self._rng = rng
        #: Beyond this number the rarest names share a place.
        self.max_names = max_names
        self._names: dict[_Given, NameCounted] = {}
        #: For each name in `_names` an entry, trusted and public names separately: (an earlier weight of the name, a
        #: number that breaks ties, the name).
        self._ranks: dict[bool, list[tuple[int, int, _Given]]] = {True: [], False: []}
        self._pushed = 0
        #: By source and trust: the other names, and unreadable events.
        self._others: dict[tuple[str, bool], NameCounted] = {}
        self._unread: dict[tuple[str, bool], NameCounted] = {}
        #: The remaining immediate samples, trusted and public events separately.
        self._early_left = {True: EARLY_OF_ALL, False: EARLY_OF_ALL}

    def listen(self, intake: Intake) -> "_Counting":
        """Return the listener for the events of a request: see `Listener` in app/pipeline/pipeline.py."""
        counted: list[NameCounted] = []
        return _Counting(self.observer(intake.source, counted, is_trusted=intake.is_trusted), counted)

    def observer(
        self, source: str, counted: list[NameCounted], *, is_trusted: bool = False
    ) -> Callable[[Event | EventRefused], Event | EventRefused]:
        """Return a function that returns each event of the source unchanged, and adds its count to `counted`."""
        known = self._names

        def observe(event: Event | EventRefused) -> Event | EventRefused:
            if isinstance(event, EventRefused):
                counted.append(self._refused(source, event, is_trusted=is_trusted))
                return event
            event_type = event["type"]
            name = event.get(named_by(event_type))
            if type(name) is not str:
                name = ""
            given = source, event_type, name, is_trusted
            one = known.get(given) or self._admit(given)
            one.weight += 1
            if one.weight == one.sample_at:
                self._look_into(one, event)
            counted.append(one)
            return event

        return observe

    def take(self) -> list[InventoryCount]:
        """Return all counts since the last call, and reset them."""
        self._early_left = {True: EARLY_OF_ALL, False: EARLY_OF_ALL}
        every = (*self._names.values(), *self._others.values(), *self._unread.values())
        return [count for one in every for count in one.take()]

    def _refused(self, source: str, event: EventRefused, *, is_trusted: bool) -> NameCounted:
        if event.named is None:
            unread = NameCounted(EventKey(source, "", ""), is_trusted=is_trusted)
            return self._unread.setdefault((source, is_trusted), unread)
        given = (source, *event.named, is_trusted)
        one = self._names.get(given) or self._admit(given)
        one.weight += 1
        one.sample_at = max(one.sample_at, one.weight + 1)
        return one

    def _admit(self, given: _Given) -> NameCounted:
        """Create a place for a name; if none is left, remove the rarest name, but no trusted name for a public one."""
        source, event_type, name, is_trusted = given
        weight, trusted = 0, len(self._ranks[True])
        if is_trusted and len(self._names) >= self.max_names:
            if self._ranks[False]:
                self._lose_rarest(is_trusted=False)
            else:
                weight = self._lose_rarest(is_trusted=True)
        elif not is_trusted and len(self._ranks[False]) >= (share := public_share(self.max_names, trusted=trusted)):
            if not share:
                return self._others_of(source, is_trusted=False)
            weight = self._lose_rarest(is_trusted=False)
        key = EventKey(source, kept_name(event_type), kept_name(name))
        one = self._names[given] = NameCounted(key, weight, is_trusted=is_trusted)
        if self._early_left[is_trusted] <= 0:
            one.sample_at = weight + self._rng.randrange(1, 2 * ONE_IN)
        self._push(weight, given)
        return one

    def _push(self, weight: int, given: _Given) -> None:
        self._pushed += 1
        heapq.heappush(self._ranks[given[-1]], (weight, self._pushed, given))

    def _lose_rarest(self, *, is_trusted: bool) -> int:
        """Remove the rarest name with the same trust; return its weight."""
        while True:
            weight, _, given = heapq.heappop(self._ranks[is_trusted])
            one = self._names[given]
            if one.weight == weight:
                break
            self._push(one.weight, given)  # its weight has increased since
        del self._names[given]
        one.lose_place(self._others_of(given[0], is_trusted=is_trusted))
        return weight

    def _others_of(self, source: str, *, is_trusted: bool) -> NameCounted:
        others = NameCounted(EventKey(source, "", OTHERS), is_trusted=is_trusted)
        return self._others.setdefault((source, is_trusted), others)

    def _look_into(self, one: NameCounted, event: Event) -> None:
        """Sample an event, and set the time of the next sample."""
        if one.sampled < EARLY_OF_A_NAME and self._early_left[one.is_trusted] > 0:
            self._early_left[one.is_trusted] -= 1
            one.sample_at = one.weight + 1
        else:
            one.sample_at = one.weight + self._rng.randrange(1, 2 * ONE_IN)
        try:
            found, properties = self._sampler.found_in(event), properties_of(event)
            products = self.products.labels(event, one.key) if self.products else ()
        except Exception as exc:  # noqa: BLE001 - an event must not be lost because it could not be looked into
            log_error(exc)
            return
        one.sampled += 1
        one.found.update(found)
        one.products.update(products)
        one.properties.update(at for at in properties if at in one.properties or len(one.properties) < MAX_PROPERTIES)


class _Counting:
    """Counts the outcomes of a request's events. Uncommitted events are not counted."""

    def __init__(
        self, observe: Callable[[Event | EventRefused], Event | EventRefused], counted: list[NameCounted]
    ) -> None:
        self.observe = observe
        self._counted = counted

    async def committed(self, receipt: Receipt) -> None:
        lines = {id(event.deliveries): event.deliveries for event in receipt.events}  # most events share theirs
        alike = Counter(zip(self._counted, [id(event.deliveries) for event in receipt.events], strict=True))
        for (one, key), number in alike.items():
            one.count(lines[key], number)


class InventoryKeeper(WritingTask):
    """Writes the counts of a process to the store. If the store is unavailable, the loss is reported."""

    def __init__(
        self,
        names: NameCounts,
        inventory: Inventory,
        *,
        on_counts: Callable[[Sequence[InventoryCount]], None],
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__(on_error)
        self._names = names
        self._inventory = inventory
        self._on_counts = on_counts
        self._clock = clock

    async def look(self) -> None:
        """Write the counts since the last write."""
        counts = self._names.take()
        self._on_counts(counts)
        await self._inventory.add(counts, now=self._clock(), max_names=self._names.max_names)
