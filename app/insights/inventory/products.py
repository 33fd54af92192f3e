"""Which products of events the product feed knows, under each id that CONTENT_ID may choose, and what to set it to."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.catalog import Catalog, Preset
from app.core.events import Event, EventKey, Measure
from app.core.shared_values import FEED_UNKNOWN, SharedValues
from app.core.values.times import DAY_S
from app.destination.redaction import product_id
from app.errors import MappingError
from app.mapping import PRODUCT_ID, compile_mapping
from app.mapping import Mapping as CompiledMapping
from app.outbox.inventory import Inventory
from app.pipeline.received_names import title_of

#: What the feed knows an id as.
ITEM: Final = "item"
GROUP: Final = "group"
UNKNOWN: Final = "unknown"
#: Stands in a label for the id that CONTENT_ID chose.
SENT: Final = "sent"
UNKNOWN_SENT: Final = f"{SENT} {UNKNOWN}"
#: Each product that is sent has one of these.
SENT_LABELS: Final = (f"{SENT} {ITEM}", f"{SENT} {GROUP}", UNKNOWN_SENT)
#: The ids that are compared, beside the one that is set.
CANDIDATES: Final = (PRODUCT_ID, "variant_id", "sku", "{{ product_id }}_{{ sku }}")
#: Of one event so many products are looked up.
_MAX_PRODUCTS: Final = 50
#: Of one kind of event so many unknown ids are kept, of so many kinds; so many are shown.
_UNKNOWN_KEPT: Final = 100
_KINDS_KEPT: Final = 50
UNKNOWN_SHOWN: Final = 10
#: So many products must have been looked up before anything is advised, and by so much another id must be better.
LEAST: Final = 20
BETTER: Final = 0.05
#: An id that finds only a group is worth less than one that finds the item.
_OF_GROUP: Final = 0.5

_read_id = product_id(128)


class ProductCheck:
    """Looks up the products of events; without a feed it does nothing."""

    def __init__(self, catalog: Callable[[], Catalog], content_id_of: Callable[[str], str]) -> None:
        """Take what returns the catalog that runs, and the id under which products of a source are sent."""
        self._catalog = catalog
        self._content_id_of = content_id_of
        #: Returns what the feed knows an id as; None: there is no feed.
        self.known_as: Callable[[str], str] | None = None
        self._of: Catalog | None = None
        self._mappings: dict[tuple[str, str], CompiledMapping | None] = {}
        self._unknown: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def labels(self, event: Event, key: EventKey) -> list[str]:
        """Return for each product of an event, and each id, that and what the feed knows it as: `sku item`."""
        known_as, catalog = self.known_as, self._catalog()
        if known_as is None or not (presets := catalog.matching(event)):
            return []
        if catalog is not self._of:
            self._of, self._mappings = catalog, {}
        sent_under = self._content_id_of(key.source)
        labels = []
        for content_id in dict.fromkeys((sent_under, *CANDIDATES)):
            for text in self._ids(presets[0], event, content_id):
                known = known_as(text)
                labels.append(f"{content_id} {known}")
                if content_id == sent_under:
                    labels.append(f"{SENT} {known}")
                    if known == UNKNOWN:
                        self._note(key, text)
        return labels

    def _ids(self, preset: Preset, event: Event, content_id: str) -> list[str]:
        mapping = self._mapping(preset, content_id)
        try:
            found = (mapping.resolve(event) or {}).get("content_ids") if mapping else None
        except MappingError:
            return []
        ids = found if isinstance(found, list) else [found]
        return [str(each) for each in ids[:_MAX_PRODUCTS] if type(each) in (str, int) and each != ""]

    def _mapping(self, preset: Preset, content_id: str) -> CompiledMapping | None:
        at = preset.name, content_id
        if at not in self._mappings:
            custom_data = preset.fields.get("custom_data")
            ids = custom_data.get("content_ids") if isinstance(custom_data, dict) else None
            self._mappings[at] = compile_mapping({"content_ids": ids}, content_id=content_id) if ids else None
        return self._mappings[at]

    def _note(self, key: EventKey, text: str) -> None:
        """Count an unknown id, in bounded memory: rare ones give way."""
        kind = f"{title_of(key)} from {key.source}"
        if kind in self._unknown or len(self._unknown) < _KINDS_KEPT:
            counts = self._unknown[kind]
            counts[text] += 1
            if len(counts) > 2 * _UNKNOWN_KEPT:
                self._unknown[kind] = Counter(dict(counts.most_common(_UNKNOWN_KEPT)))

    async def keep_unknown(self, shared: SharedValues) -> None:
        """Add the unknown ids to those that are kept, without personal data, and drop those that are known by now."""
        new, self._unknown = self._unknown, defaultdict(Counter)
        if not new or self.known_as is None:
            return
        stored = await FEED_UNKNOWN.read_revised(shared)
        kept = dict(stored.value or {})
        for kind, counts in new.items():
            if kind not in kept and len(kept) >= _KINDS_KEPT:
                continue
            sums = Counter(kept.get(kind, {}))
            for text, count in counts.items():
                clean, _ = _read_id(text)
                if clean is not None:
                    sums[str(clean)] += count
            still = Counter({text: count for text, count in sums.items() if self.known_as(text) == UNKNOWN})
            kept[kind] = dict(still.most_common(_UNKNOWN_KEPT))
        await FEED_UNKNOWN.write(shared, kept, revision=stored.revision)


@dataclass(frozen=True, slots=True)
class FeedMatches:
    """How many products the feed knew under one id."""

    items: int = 0
    groups: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All that were looked up."""
        return self.items + self.groups + self.unknown

    def __add__(self, other: "FeedMatches") -> "FeedMatches":
        """Return the sums."""
        return FeedMatches(self.items + other.items, self.groups + other.groups, self.unknown + other.unknown)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers by name."""
        return {"item": self.items, "group": self.groups, "unknown": self.unknown}

    @property
    def worth(self) -> float:
        """What part is found, one that finds only a group counted half."""
        return (self.items + _OF_GROUP * self.groups) / self.total if self.total else 0.0

    def __str__(self) -> str:
        """Read as `97% item, 2% group`."""
        return ", ".join(f"{count / self.total:.0%} {word}" for word, count in self.counts.items() if count)


async def read_known(inventory: Inventory, *, now: float, days: int) -> dict[EventKey, dict[str, FeedMatches]]:
    """Return by kind of event, and by id, how many products the feed knew in the last days."""
    since = (now // DAY_S - days + 1) * DAY_S
    found: dict[EventKey, dict[str, FeedMatches]] = {}
    for _, (key, _, label, number) in await inventory.read(since=since, by_hour=False, counted=[Measure.CATALOGUE]):
        content_id, _, known = label.rpartition(" ")
        of_key = found.setdefault(key, {})
        more = FeedMatches(number * (known == ITEM), number * (known == GROUP), number * (known == UNKNOWN))
        of_key[content_id] = of_key.get(content_id, FeedMatches()) + more
    return found


def advice(found: Mapping[EventKey, Mapping[str, FeedMatches]], content_id_of: Callable[[str], str]) -> str:
    """Return the one setting to change, "" where none makes more products known.

    `content_id_of` returns the id under which products of a source are sent.
    """
    by_source: defaultdict[str, defaultdict[str, FeedMatches]] = defaultdict(lambda: defaultdict(FeedMatches))
    for key, counts in found.items():
        for content_id, known in counts.items():
            by_source[key.source][content_id] += known
    better = list(_better(by_source, content_id_of))
    if not better:
        return ""
    _, source, best, was, will = max(better)
    judged = [name for name in by_source if any(each.total >= LEAST for each in by_source[name].values())]
    place = "CONTENT_ID" if {each[2] for each in better} == {best} and len(better) == len(judged) else ""
    change = f"set CONTENT_ID={best}" if place else f"set `content_id: {best!r}` in the file of the source {source}"
    return f"The feed would know {will:.0%} of the products instead of {was:.0%}: {change}."


def _better(
    by_source: Mapping[str, Mapping[str, FeedMatches]], content_id_of: Callable[[str], str]
) -> Iterator[tuple[float, str, str, float, float]]:
    """Yield for each source with a better id: gained products, the source, the id, the shares known now and then."""
    for source, counts in by_source.items():
        now = counts.get(content_id_of(source), FeedMatches())
        best = max((name for name in counts if name != SENT), key=lambda name: counts[name].worth, default="")
        if best and counts[best].total >= LEAST and counts[best].worth >= now.worth + BETTER:
            shares = [1 - each.unknown / each.total if each.total else 0.0 for each in (now, counts[best])]
            yield (counts[best].worth - now.worth) * counts[best].total, source, best, shares[0], shares[1]
