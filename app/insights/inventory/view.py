"""Combine the inventory with the running presets for page, interface and command."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from app.catalog import Catalog
from app.catalog.presets import person_fields
from app.core.events import EventKey, Measure
from app.insights.inventory.figures import (
    DAYS,
    Change,
    NameFigures,
    PropertyFigures,
    read_changes,
    read_figures,
    read_properties,
    span_of,
)
from app.mapping import named_places
from app.outbox.inventory import Inventory
from app.pipeline import twins
from app.pipeline.nearest_preset import Nearest, nearest_preset
from app.source import withholding
from app.trigger import places_asked


@dataclass(frozen=True, slots=True, kw_only=True)
class NameView:
    """A kind of event, with its matching or nearest preset."""

    figures: NameFigures
    nearest: Nearest
    #: The properties; empty unless requested.
    properties: Sequence[PropertyFigures] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryView:
    """Reads the inventory. Every method may raise OutboxUnavailable."""

    inventory: Inventory
    catalog: Callable[[], Catalog]
    clock: Callable[[], float]

    async def names(self, *, days: int = DAYS, last_day: int | None = None) -> list[NameView]:
        """Return all kinds of events of these days, as in `span_of`, the most frequent first."""
        return self._views(await read_figures(self.inventory, now=self.clock(), days=days, last_day=last_day))

    async def sources(self, *, days: int) -> list[str]:
        """Return the names of the sources with events in these days, sorted."""
        since = span_of(self.clock(), days).start
        rows = await self.inventory.read(since=since, by_hour=False, counted=[Measure.RECEIVED])
        return sorted({count.key.source for _, count in rows})

    async def name(self, key: EventKey, *, days: int = DAYS, last_day: int | None = None) -> NameView | None:
        """Return a kind of event; `None` if there is none in these days."""
        figures = await read_figures(self.inventory, now=self.clock(), days=days, last_day=last_day, only=key)
        return next(iter(self._views(figures)), None)

    async def properties(
        self, key: EventKey, *, days: int = DAYS, last_day: int | None = None
    ) -> list[PropertyFigures]:
        """Return the properties of a kind of event, the most frequent first, and whether each is read."""
        now, span = self.clock(), span_of(self.clock(), days, last_day)
        found = await read_properties(self.inventory, key, now=now, days=days, last_day=last_day)
        rows = await self.inventory.read(since=span.start, by_hour=False, counted=[Measure.PRESET], key=key)
        if not (takers := {count.label for at, count in rows if at in span}):
            return found
        is_read = reads(self.catalog(), takers)
        return [replace(each, is_read=is_read(each.path)) for each in found]

    def _views(self, figures: Sequence[NameFigures]) -> list[NameView]:
        catalog = self.catalog()
        found = []
        for one in figures:
            takers = sorted(one.presets, key=lambda name: (-one.presets[name], name))
            found.append(NameView(figures=one, nearest=nearest_preset(one.key, takers, catalog)))
        return found

    async def changes(self) -> list[Change]:
        return await read_changes(self.inventory, now=self.clock())

    async def with_properties(self, one: NameView, *, days: int = DAYS, last_day: int | None = None) -> NameView:
        """Return a kind of event with its properties."""
        return replace(one, properties=await self.properties(one.figures.key, days=days, last_day=last_day))


def reads(catalog: Catalog, presets: Collection[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a property's path, or a part around or within it, is read.

    The read paths are those of these presets, those of all triggers, and those that are read from every event: its
    person, and whether it is a test or a cancelled order.
    """
    read_always = (*withholding.READ_PROPERTIES, *twins.READ_PROPERTIES)
    named = {f"properties.{name}" for name in read_always} | set(named_places(person_fields(catalog.action)))
    for preset in catalog.enabled:
        for trigger in filter(None, (preset.trigger, preset.withdrawn_by)):
            named.update(places_asked(trigger.term))
        if preset.name in presets:
            named.update(named_places(preset.fields))
    around = {place for each in named for place in _places_around(each)}

    def is_read(path: str) -> bool:
        place = path.replace("[]", "")
        return place in around or not named.isdisjoint(_places_around(place))

    return is_read


def _places_around(place: str) -> list[str]:
    """Return a place and all objects around it, the event first.

    >>> _places_around("properties.total")
    ['', 'properties', 'properties.total']
    """
    keys = place.split(".")
    return ["", *(".".join(keys[: depth + 1]) for depth in range(len(keys)))]
