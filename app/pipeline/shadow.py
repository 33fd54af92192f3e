"""A shadow run: compare the results of a draft with those of the running catalog. Nothing is stored or sent."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from app.catalog import Catalog
from app.core.events import Event, Outcome
from app.core.fields import UNHASHED
from app.core.pages import Quarantined, QuarantineFilter
from app.core.receipts import PresetResult
from app.core.values.hidden_emails import unpersonal_id
from app.destination import components
from app.errors import PublishingRefused, SettingsError
from app.outbox.sealed_events import SealedEvents, Sealer
from app.pipeline.explain import hashed_input, shown_json
from app.pipeline.router import Router

#: Maximum number of examples for each kind of change.
_EXAMPLES: Final = 3
_SHOWN: Final = 120
#: Maximum number of tried events; and the number between yields to other tasks.
_AT_MOST: Final = 5_000
_AT_ONCE: Final = 50
#: Unhashed fields that identify a person or a device.
_PERSONAL: Final = frozenset(f"user_data.{name}" for name in UNHASHED)
#: A catalog and the result of a preset of it; `None` if the preset has no result.
_Made: TypeAlias = tuple[Catalog, PresetResult | None]
#: Returns the input of a hashed field, without personal data.
_Describes: TypeAlias = Callable[[Catalog, PresetResult, str], str]
#: By preset, field or outcome, and kind of change.
_Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeExample:
    """An event with a changed field."""

    message_id: str
    was: str
    becomes: str


@dataclass(slots=True)
class Side:
    """The results of a catalog for all events."""

    #: The number of sent events by preset, and the sum of their quality components.
    sent: Counter[str] = field(default_factory=Counter)
    components: Counter[str] = field(default_factory=Counter)
    #: Of these, the number with a field, by preset and field.
    having: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: By preset and currency; "" without a currency.
    money: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def add(self, preset: str, event: Event, fields: Mapping[str, Any]) -> None:
        """Count a sent event."""
        self.sent[preset] += 1
        self.components[preset] += len(components(event))
        self.having.update((preset, name) for name in fields)
        if "custom_data.value" in fields:
            key = preset, str(fields.get("custom_data.currency", ""))
            self.money[key] = self.money.get(key, Decimal(0)) + Decimal(str(fields["custom_data.value"]))


@dataclass(slots=True)
class Shadow:
    """The changes of the compared events."""

    events: int = 0
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    #: Events by preset, field and `gained`, `lost` or `changed`.
    fields: Counter[_Key] = field(default_factory=Counter)
    examples: dict[_Key, list[ChangeExample]] = field(default_factory=dict)
    #: Events by preset, outcome before and outcome after.
    outcomes: Counter[_Key] = field(default_factory=Counter)

    @property
    def differs(self) -> bool:
        """Return whether there is any change."""
        return bool(self.fields or self.outcomes)

    def add(
        self,
        event: Event,
        router: Router,
        catalogs: tuple[Catalog, Catalog],
        *,
        now: float,
        source: str,
        is_trusted: bool,
    ) -> list[_Key]:
        """Count the results of an event with the running catalog and with the draft, each with an empty memory.

        Return its keys in `fields` and `outcomes`.
        """
        self.events += 1
        keys: list[_Key] = []
        was, becomes = (
            {
                (line.preset or "", line.destination): line
                for line in router.lines(event, catalog, now=now, source=source, is_trusted=is_trusted)
            }
            for catalog in catalogs
        )
        describe = partial(_input, event, router, now=now, source=source)
        for key in {**was, **becomes}:
            if key[0]:
                sides = [(catalog, lines.get(key)) for catalog, lines in zip(catalogs, (was, becomes), strict=True)]
                keys += self._compare(unpersonal_id(event["messageId"]), key[0], sides, describe)
        return keys

    def _compare(self, message_id: str, preset: str, sides: Sequence[_Made], describe: _Describes) -> Iterator[_Key]:
        """Count the results of a delivery, and yield the differences.

        Fields are compared if both would send the event.
        """
        outcomes = [Outcome.UNMATCHED if line is None else line.outcome for _, line in sides]
        if outcomes[0] != outcomes[1]:
            self.outcomes[preset, outcomes[0].value, outcomes[1].value] += 1
            yield preset, outcomes[0].value, outcomes[1].value
        found: list[dict[str, Any]] = []
        inputs: list[Callable[[str], str]] = []
        for side, (catalog, line) in zip((self.before, self.after), sides, strict=True):
            if line is not None and line.event is not None:
                found.append(dict(_leaves(line.event)))
                inputs.append(partial(describe, catalog, line))
                side.add(preset, line.event, found[-1])
        if len(found) < len(outcomes):
            return
        old, new = found
        for name in {**old, **new}:
            if name in old and name in new and old[name] == new[name]:
                continue
            kind = "gained" if name not in old else "lost" if name not in new else "changed"
            self.fields[preset, name, kind] += 1
            shown = self.examples.setdefault((preset, name, kind), [])
            if len(shown) < _EXAMPLES:
                was, becomes = (_shown(name, fields, of) for fields, of in zip(found, inputs, strict=True))
                if was == becomes and kind == "changed" and name not in _PERSONAL:
                    becomes += ", another text"
                shown.append(ChangeExample(message_id=message_id, was=was, becomes=becomes))
            yield preset, name, kind

    def money(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """Return preset, currency, and the sum before and after, for all existing combinations."""
        keys = sorted({*self.before.money, *self.after.money})
        return [(*key, self.before.money.get(key, Decimal(0)), self.after.money.get(key, Decimal(0))) for key in keys]

    def scores(self) -> list[tuple[str, float | None, float | None]]:
        """Return the average number of quality components by preset, before and after; `None` if no event is sent."""
        presets = sorted({*self.before.sent, *self.after.sent})
        return [(preset, _average(self.before, preset), _average(self.after, preset)) for preset in presets]

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {
            "events": self.events,
            "outcomes": [
                {"preset": preset, "was": was, "becomes": becomes, "count": count}
                for (preset, was, becomes), count in self.outcomes.most_common()
            ],
            "fields": [
                {
                    "preset": preset,
                    "field": name,
                    "change": kind,
                    "count": count,
                    "examples": [
                        {"message_id": each.message_id, "was": each.was, "becomes": each.becomes}
                        for each in self.examples[preset, name, kind]
                    ],
                }
                for (preset, name, kind), count in self.fields.most_common()
            ],
            "money": [
                {"preset": preset, "currency": currency, "before": str(before), "after": str(after)}
                for preset, currency, before, after in self.money()
            ],
            "scores": [{"preset": preset, "before": before, "after": after} for preset, before, after in self.scores()],
        }


class ShadowRuns:
    """Applies drafts to stored events. Every method may raise OutboxUnavailable."""

    def __init__(
        self,
        sealed_events: SealedEvents,
        sealer: Sealer,
        router: Router,
        running: Callable[[], Catalog],
        *,
        clock: Callable[[], float],
        has_samples: bool,
        limits: Collection[str] = (),
    ) -> None:
        """Use the store, the encryption, the router, and the running catalog. A draft that exceeds `limits` is refused.

        Raises SettingsError if a limit is invalid.
        """
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._router = router
        self._running = running
        self._clock = clock
        #: Otherwise only the quarantine stores events.
        self.has_samples = has_samples
        self._limits = limits
        broken_limits(limits, Shadow())

    async def run(self, draft: Catalog, *, samples: bool = True) -> Shadow:
        """Return the changes of a draft for the samples, or for the quarantine: of the oldest few thousand."""
        shadow = Shadow()
        await self.add(shadow, draft, samples=samples, at_most=_AT_MOST)
        return shadow

    async def add(
        self, shadow: Shadow, draft: Catalog, *, samples: bool, after: int = 0, since: float = 0, at_most: int
    ) -> int:
        """Add the changes of a draft for events after the id `after` and the time `since`; return the last id.

        At most about `at_most` events are tried.
        """
        wanted, last = QuarantineFilter(samples=samples), shadow.events + at_most
        while shadow.events < last and (
            some := await self._sealed_events.find(wanted, now=self._clock(), after=after, limit=_AT_ONCE)
        ):
            for one in some:
                event = self._sealer.open(one.sealed) if one.at >= since else None
                if event is not None:  # it may be encrypted with another key
                    catalogs = self._running(), draft
                    shadow.add(event, self._router, catalogs, now=one.at, source=one.source, is_trusted=one.is_trusted)
            after = some[-1].id
            await asyncio.sleep(0)
        return after

    async def samples(self, *, at_most: int) -> list[tuple[Quarantined, Event]]:
        """Return the newest samples with their events, the newest first; empty if samples are off."""
        newest: list[Quarantined] = []
        wanted, after = QuarantineFilter(samples=True), 0
        while self.has_samples and (
            some := await self._sealed_events.find(wanted, now=self._clock(), after=after, limit=at_most)
        ):
            newest = [*newest, *some][-at_most:]
            after = some[-1].id
        opened = ((one, self._sealer.open(one.sealed)) for one in reversed(newest))
        return [(one, event) for one, event in opened if event is not None]

    async def demand(self, draft: Catalog) -> None:
        """Raise PublishingRefused if a draft exceeds a limit."""
        if self.has_samples and self._limits and (broken := broken_limits(self._limits, await self.run(draft))):
            raise PublishingRefused(f"The shadow run is beyond PUBLISH_FAIL_IF: {'; '.join(broken)}.")


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each field of a finished event with its value; a list is a single field."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, f"{at}{name}.")
        else:
            yield f"{at}{name}", inner


def _input(
    event: Event, router: Router, catalog: Catalog, line: PresetResult, field: str, *, now: float, source: str
) -> str:
    """Return the place and the form of the text that a catalog hashed; "" if it hashed none."""
    preset = next(each for each in catalog.presets if each.name == line.preset)
    making = router.account(line.destination, source).making
    return hashed_input(preset, event, line, making, field, now=now)


def _shown(name: str, fields: Mapping[str, Any], input_of: Callable[[str], str]) -> str:
    """Return the value of a field, or for a hashed field its input without personal data."""
    if name not in fields:
        return "nothing"
    if name in _PERSONAL:
        return "(personal)"
    text = (name.startswith("user_data.") and input_of(name)) or shown_json(fields[name])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _average(side: Side, preset: str) -> float | None:
    return round(side.components[preset] / side.sent[preset], 2) if side.sent[preset] else None


#: `lost click_id > 1%`, `lost events > 0`, `money EUR > 2%`.
_LIMIT: Final = re.compile(
    r"(?:(lost|gained|changed) +([A-Za-z0-9_.]+)|(money)(?: +([A-Z]{3}))?) *> *(\d+(?:\.\d+)?)(%?)"
)


def broken_limits(limits: Iterable[str], shadow: Shadow) -> list[str]:
    """Return a sentence for each limit that a shadow run exceeds. Raises SettingsError for an invalid limit."""
    broken = []
    for limit in limits:
        found = _LIMIT.fullmatch(limit.strip())
        if found is None:
            raise SettingsError(
                f"PUBLISH_FAIL_IF: {limit!r} is no limit: write `lost click_id > 1%` (or gained, changed), "
                "`lost events > 0`, or `money EUR > 2%`"
            )
        kind, about, _, currency, most, percent = found.groups()
        amounts = _fields(kind, about, shadow) if kind else _money(currency, shadow)
        for amount, whole in amounts:
            value = amount if not percent else amount * 100 / whole if whole else Decimal(100 * bool(amount))
            if value > Decimal(most):
                broken.append(f"{limit.strip()}: it is {float(round(value, 2)):g}{percent}")
    return broken


def _fields(kind: str, about: str, shadow: Shadow) -> list[tuple[Decimal, Decimal]]:
    """Return the number of events in which a field, or the event itself, changes this way, and the total."""
    side = shadow.after if kind == "gained" else shadow.before
    if about == "events":
        place = {"lost": 1, "gained": 2}.get(kind)
        count = sum(count for key, count in shadow.outcomes.items() if place and key[place] == Outcome.ENQUEUED)
        return [(Decimal(count), Decimal(side.sent.total()))]
    found = sum(count for (_, name, how), count in shadow.fields.items() if how == kind and _is(about, name))
    return [(Decimal(found), Decimal(sum(count for (_, name), count in side.having.items() if _is(about, name))))]


def _is(about: str, name: str) -> bool:
    return name == about or name.endswith(f".{about}")


def _money(currency: str | None, shadow: Shadow) -> list[tuple[Decimal, Decimal]]:
    """Return the change of the sum of each currency, and the sum before."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for _, code, before, after in shadow.money():
        was, becomes = sums.get(code, (Decimal(0), Decimal(0)))
        sums[code] = was + before, becomes + after
    return [(abs(becomes - was), was) for code, (was, becomes) in sums.items() if currency in (None, code)]
