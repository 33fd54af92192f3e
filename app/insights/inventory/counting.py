"""Count by name what arrives and what becomes of it, in bounded memory, and write it to the store.

Some events are looked into: which properties, of which kind, and which of the things that matter to Pinterest.
Names and kinds only: no value leaves this module.
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

#: What the mapping must find, and where it puts it.
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

#: Where senders put what they say of a kind of event.
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
#: What may end the label of a property, behind a space.
KINDS: Final = (*_KINDS.values(), _OTHER)


def properties_of(event: Event) -> list[str]:
    """Return the path and kind of each property, such as `properties.products[].price number`; 64 at most."""
    found: dict[str, None] = {}
    for root in _ROOTS:
        for path, kind in _members(event.get(root), root, 1):
            found[f"{path} {kind}"] = None
            if len(found) == MAX_PROPERTIES:
                return list(found)
    return list(found)


def _members(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each member of an object with its kind, and theirs; of a list, those of its first member."""
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
    """Tells what the presets that run now find in an event."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def found_in(self, event: Event) -> list[str]:
        """Return which of LOOKED_FOR is found, by the first preset that takes the event, else by the defaults.

        CHECKOUT is among them where a preset takes it as one.
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


#: Of each name so many events are looked into at once between two writings, of all names together so many ...
EARLY_OF_A_NAME: Final = 20
EARLY_OF_ALL: Final = 500
#: ... and then one in so many, by chance.
ONE_IN: Final = 128

#: As an event names itself: source, type, name; and whether its author is trusted.
_Given: TypeAlias = tuple[str, str, str, bool]
#: What was counted: an outcome with its preset; None counts events.
_Counts: TypeAlias = dict[tuple[Outcome, str | None] | None, int]


class NameCounted:
    """What was counted of one name since the last writing."""

    __slots__ = ("counts", "found", "is_trusted", "key", "products", "properties", "sample_at", "sampled", "weight")

    def __init__(self, key: EventKey, weight: int = 0, *, is_trusted: bool) -> None:
        self.key = key
        self.is_trusted = is_trusted
        #: How many events, with those of the names that had its place before.
        self.weight = weight
        #: At which weight the next event is looked into.
        self.sample_at = weight + 1
        self.sampled = 0
        #: Emptied in place: who has lost its place shares that of the others.
        self.counts: _Counts = {}
        self.found: Counter[str] = Counter()
        self.properties: Counter[str] = Counter()
        self.products: Counter[str] = Counter()

    def count(self, lines: Sequence[PresetResult], number: int = 1) -> None:
        """Count so many events, and what became of each."""
        counts = self.counts
        counts[None] = counts.get(None, 0) + number
        for line in lines:
            way = line.outcome, line.preset
            counts[way] = counts.get(way, 0) + number

    def lose_place(self, others: "NameCounted") -> None:
        """Hand on what was counted, and what may still be."""
        for way, number in self.counts.items():
            others.counts[way] = others.counts.get(way, 0) + number
        self.counts = others.counts

    def take(self) -> Iterator[InventoryCount]:
        """Yield what was counted since the last time, and begin anew."""
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
    """All names that one process has counted: a `Listener` of the pipeline."""

    is_on = True

    def __init__(self, sampler: Sampler, rng: Random, *, max_names: int, products: ProductCheck | None = None) -> None:
        self._sampler = sampler
        #: Looks up products in the product feed.
        self.products = products
        self._rng = rng
        #: Beyond so many names the rarest are one.
        self.max_names = max_names
        self._names: dict[_Given, NameCounted] = {}
        #: Of each name in `_names` one, trusted ones and public ones apart: (a weight that it had, a number that tells
        #: equals apart, the name).
        self._ranks: dict[bool, list[tuple[int, int, _Given]]] = {True: [], False: []}
        self._pushed = 0
        #: By source and trust: the others, and what could not be read as an event.
        self._others: dict[tuple[str, bool], NameCounted] = {}
        self._unread: dict[tuple[str, bool], NameCounted] = {}
        #: How many events are looked into at once, trusted ones and public ones apart.
        self._early_left = {True: EARLY_OF_ALL, False: EARLY_OF_ALL}

    def listen(self, intake: Intake) -> "_Counting":
        """Return what counts the events of a request: see `Listener` in app/pipeline/pipeline.py."""
        counted: list[NameCounted] = []
        return _Counting(self.observer(intake.source, counted, is_trusted=intake.is_trusted), counted)

    def observer(
        self, source: str, counted: list[NameCounted], *, is_trusted: bool = False
    ) -> Callable[[Event | EventRefused], Event | EventRefused]:
        """Return a function that returns each event of the source as it is, and adds its count to `counted`."""
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
        """Return all that was counted since the last time, and begin anew."""
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
        """Make a place for a name; where there is none left, the rarest has to go, no trusted one for a public one."""
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
        """Take the place of the rarest name that is equally trusted; return its weight."""
        while True:
            weight, _, given = heapq.heappop(self._ranks[is_trusted])
            one = self._names[given]
            if one.weight == weight:
                break
            self._push(one.weight, given)  # its weight has grown since
        del self._names[given]
        one.lose_place(self._others_of(given[0], is_trusted=is_trusted))
        return weight

    def _others_of(self, source: str, *, is_trusted: bool) -> NameCounted:
        others = NameCounted(EventKey(source, "", OTHERS), is_trusted=is_trusted)
        return self._others.setdefault((source, is_trusted), others)

    def _look_into(self, one: NameCounted, event: Event) -> None:
        """Sample an event, and say when to do so again."""
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
    """Counts what becomes of the events of one request. What is not committed is not counted."""

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
    """Writes to the store what the names of a process counted. Where it is unavailable, that is reported and lost."""

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
        """Write what was counted since the last time."""
        counts = self._names.take()
        self._on_counts(counts)
        await self._inventory.add(counts, now=self._clock(), max_names=self._names.max_names)
