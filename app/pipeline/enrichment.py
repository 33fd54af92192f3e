"""Complete deliveries from identity memory, and report the changes of memory by an event."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.config.settings import MemorySettings
from app.core.events import Event, Outcome
from app.core.people import Recalled, Remembered, Suppression
from app.core.receipts import MemoryChange, PresetResult
from app.destination import Complete, carries_opt_out
from app.errors import EventRefused
from app.identity import (
    FOR_EVER,
    GROUPS,
    NOBODY,
    NOTHING_KNOWN,
    IdentityEvent,
    LoadedMemory,
    Memory,
    PersonHistory,
    erase,
    resolve_identity,
)
from app.outbox import Outbox
from app.pipeline.identity_events import IdentityEventReader, Ids, users_and_browsers


class RecordingMemory:
    """Passes all calls on to another Memory, and records its changes."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.is_full = memory.is_full
        self.erased = memory.erased
        self._erased_before = len(memory.erased)
        #: The previous data of changed ids.
        self._before: dict[str, Remembered] = {}
        self._unmarked: set[str] = set()

    def person(self, key: str) -> Remembered | None:
        return self._memory.person(key)

    def keep(self, key: str, person: Remembered) -> None:
        self._before.setdefault(key, self._memory.person(key) or NOBODY)
        self._memory.keep(key, person)

    def linked_to(self, key: str) -> Iterable[str]:
        return self._memory.linked_to(key)

    def suppression(self, key: str) -> Suppression | None:
        return self._memory.suppression(key)

    def set_suppression(self, key: str, suppression: Suppression | None) -> None:
        if suppression and self._memory.suppression(key) is None:
            self._unmarked.add(key)
        self._memory.set_suppression(key, suppression)

    @property
    def has_suppressions(self) -> bool:
        return self._memory.has_suppressions

    def given(self) -> MemoryChange:
        """Return the changes; data that moved from id to id, or disappeared with its link, is not included."""
        after = {key: self._memory.person(key) or NOBODY for key in self._before}
        known = [fact for before in self._before.values() for fact in before.facts.values()]
        said = {group for person in after.values() for group, fact in person.facts.items() if fact not in known}
        is_erasure = len(self.erased) > self._erased_before
        return MemoryChange(
            groups=tuple(group for group in GROUPS if group in said),
            linked=any(
                person.link is not None and person.link.is_followed and person.link != self._before[key].link
                for key, person in after.items()
            ),
            erased=sum(
                self._before[key] != NOBODY
                and not person.facts
                and (is_erasure or (bool(self._before[key].facts) and self._memory.suppression(key) is not None))
                for key, person in after.items()
            ),
            marked=sum(self._memory.suppression(key) is not None for key in self._unmarked),
        )


#: Returns why a finished event is withheld (`None`: it is not) and warnings, from the received and the finished event.
WhyFiltered: TypeAlias = Callable[[Event, Event], tuple[str | None, tuple[str, ...]]]

#: Maps an event for a preset again; `Complete` adds to `user_data` before the event is judged.
MapsAgain: TypeAlias = Callable[[Preset, Complete], PresetResult]
#: Groups that can make an event without identifiers valid.
_IDENTIFIERS: Final = frozenset({"em", "device"})
#: The event name if no preset finished the event.
_UNNAMED: Final = "custom"


class Enrichment:
    """Applies identity memory to events, under a set of rules."""

    def __init__(self, read: IdentityEventReader, rules: MemorySettings, why_filtered: WhyFiltered) -> None:
        self._read = read
        self._rules = rules
        self._why_filtered = why_filtered

    def new_memory(self, public_key: str | None = None) -> LoadedMemory:
        """Return the memory of a call, which loads data on demand; `public_key` is the key of the call."""
        return LoadedMemory(self._rules, public_key=public_key)

    async def load(
        self, memory: LoadedMemory, events: Iterable[Event | EventRefused], outbox: Outbox, *, now: float
    ) -> list[Ids]:
        """Load the data of some events' people before they are resolved.

        Returns the ids of each readable event, in the form of memory. Raises OutboxUnavailable.
        """
        ids = [self._read.ids_of(event) for event in events if not isinstance(event, EventRefused)]
        users, browsers = users_and_browsers(ids)
        if keys := memory.unasked([*users, *browsers]):
            memory.add(keys, await outbox.people(keys, browsers=browsers, public_key=memory.public_key, now=now))
        return ids

    def resolve(  # noqa: PLR0913 - all that an event says and is judged by
        self,
        event: Event,
        presets: Sequence[Preset],
        lines: Sequence[PresetResult],
        catalog: Catalog,
        memory: Memory,
        *,
        now: float,
        is_trusted: bool,
        is_known: bool,
        ids: Ids | None = None,
    ) -> tuple[PersonHistory, IdentityEvent]:
        """Store the data of an event in memory.

        Return the data for its deliveries, and the event in the form of memory.

        `presets` are those that match the event. `lines` are the results without memory: one for each preset and ad
        account, or one with the reason why there is none. `ids` are the event's, if they were already read.
        `is_trusted`: the author is authenticated by a secret, `is_known`: the sender is.
        """
        if built := of_permitted(presets, lines):
            is_withheld = len(lines) > 1 and any(line.outcome is Outcome.WITHHELD for line in lines)
            ids = ids or self._read.ids_of(event)
            identity_event = self._read.of_finished(
                event, built, ids, now=now, is_trusted=is_trusted, is_withheld=is_withheld
            )
            return resolve_identity(identity_event, memory, self._rules), identity_event
        identity_event, page = self._read(event, catalog, now=now, is_trusted=is_trusted)
        if identity_event.kind == "delete" and is_known:
            erase(memory, FOR_EVER, user=identity_event.user, anonymous=identity_event.anonymous, now=identity_event.at)
            return NOTHING_KNOWN, identity_event
        if not identity_event.is_withheld and (
            any(line.outcome is Outcome.WITHHELD or (line.event and carries_opt_out(line.event)) for line in lines)
            or self._is_of_nobody(event, presets, lines, identity_event, page)
        ):
            identity_event = replace(identity_event, is_withheld=True)
        return resolve_identity(identity_event, memory, self._rules), identity_event

    def _is_of_nobody(
        self,
        event: Event,
        presets: Sequence[Preset],
        lines: Sequence[PresetResult],
        identity_event: IdentityEvent,
        page: str,
    ) -> bool:
        """Return whether an event without a finished event is a test, from a crawler, or not a purchase."""
        if any(line.event for line in lines):
            return False
        names = {preset.mapping.literal("event_name") for preset in presets} or {_UNNAMED}
        sent = {"user_data": identity_event.found, "event_source_url": page}
        return any(self._why_filtered(event, {"event_name": name, **sent})[0] is not None for name in names)


def of_permitted(presets: Sequence[Preset], lines: Sequence[PresetResult]) -> Event | None:
    """Return a finished event with the person as the defaults find it; `None` if any result has an opt-out."""
    for line in lines:
        if line.event and carries_opt_out(line.event):
            return None
    return finished_by_defaults(presets, lines)


def finished_by_defaults(presets: Sequence[Preset], lines: Sequence[PresetResult]) -> Event | None:
    """Return the first finished event with the person as the defaults find it, or `None`."""
    for line in lines:
        if line.event and any(preset.finds_person and preset.name == line.preset for preset in presets):
            return line.event
    return None


def completed_from_memory(
    preset: Preset, line: PresetResult, known: PersonHistory, map_again: MapsAgain
) -> PresetResult:
    """Return the result of a preset, completed from memory."""
    if line.event is not None:
        filled = known.fill(line.event["user_data"], preset.remembered)
        return replace(line, memory=filled) if filled else line
    if line.outcome is Outcome.INVALID and preset.remembered & _IDENTIFIERS & known.facts.keys():
        return _made_valid(preset, line, known, map_again)
    return line


def _made_valid(preset: Preset, line: PresetResult, known: PersonHistory, map_again: MapsAgain) -> PresetResult:
    """Return the result of an event that becomes valid with identifiers from memory; otherwise the same result."""
    filled: dict[str, Recalled] = {}

    def complete(user_data: dict[str, Any]) -> None:
        filled.update(known.fill(user_data, preset.remembered))

    again = map_again(preset, complete)
    if again.event is None:
        return line if again.outcome is Outcome.INVALID else again
    return line if carries_opt_out(again.event) else replace(again, memory=filled)
