"""State shared by all processes: switches, the wanted catalog, and the list of live processes.

The state is stored in the outbox (`app.core.shared_values`). Only this module reads and writes switches.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

from app.core.shared_values import (
    ACCOUNT_SWITCH,
    CATALOG_FAULTS,
    DESTINATION_SWITCH,
    ERASED_AT,
    PRESET_SWITCH,
    PROCESSES,
    SAMPLES_HURRIED,
    TAIL,
    WANTED_CATALOG,
    Process,
    SharedValues,
    Switch,
)
from app.errors import CatalogError, Fault, UnknownName

#: The refresh interval. Every process applies a switch or a reload within 2 s.
REFRESH_S = 1.0
#: How long a process waits before it loads faulty files again.
TRY_AGAIN_S = 10.0
#: A process counts as gone after this time without a heartbeat.
PROCESS_GONE_S = 10.0

#: Reloads the files. Returns the new generation, or raises CatalogError and leaves the old catalog in place.
Reload: TypeAlias = Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The switches that operators turned off; everything else is on."""

    destination_off: bool = False
    presets_off: frozenset[str] = frozenset()
    #: Ids of ad accounts.
    accounts_off: frozenset[str] = frozenset()

    @classmethod
    async def read(cls, shared: SharedValues) -> "Switches":
        """Return the current switches. Raises OutboxUnavailable."""
        destination = await DESTINATION_SWITCH.read(shared)
        presets = await PRESET_SWITCH.read_all(shared)
        accounts = await ACCOUNT_SWITCH.read_all(shared)
        return cls(
            destination_off=destination is not None and not destination.on,
            presets_off=frozenset(name for name, switch in presets.items() if not switch.on),
            accounts_off=frozenset(name for name, switch in accounts.items() if not switch.on),
        )

    def is_off(self, ad_account_id: str) -> bool:
        """Return whether sending to the ad account is off for all presets."""
        return self.destination_off or ad_account_id in self.accounts_off

    def of(self, ad_account_id: str) -> "Switches":
        """Return the switches for an ad account: `destination_off` if the ad account sends no events."""
        return replace(self, destination_off=True) if ad_account_id in self.accounts_off else self

    def why_off(self, preset: str, ad_account_id: str) -> str | None:
        """Return the reason if the preset does not send to the ad account now; otherwise `None`."""
        if self.is_off(ad_account_id):
            return "the destination is switched off"
        return "the preset is switched off" if preset in self.presets_off else None


class Coordination:
    """Apply changes of other processes, and report the state of this process to them."""

    def __init__(
        self,
        shared: SharedValues,
        reload: Reload,
        *,
        presets: Callable[[], Collection[str]],
        ad_account_ids: Collection[str],
        generation: str,
        process_id: str,
        role: str,
    ) -> None:
        self._shared = shared
        self._reload = reload
        #: Returns the names of the presets in the running catalog, including those that their files switch off.
        self.presets = presets
        self._ad_account_ids = ad_account_ids
        self._process_id = process_id
        self._role = role
        self._tried = (0, 0.0)  # revision of the wanted generation, and the time of the attempt
        #: As of the last refresh.
        self.switches = Switches()
        #: The end of the live tail, as of the last refresh; 0 if no tail is active.
        self.tail_until = 0.0
        #: The end of faster sampling, as of the last refresh; 0 if sampling is normal.
        self.samples_hurried_until = 0.0
        #: A number that changes when live tails must discard their contents.
        self.tail_emptied = 0
        self._is_erasure_untold = False
        #: The generation of the catalog in this process.
        self.generation = generation
        self._own_faults: tuple[Fault, ...] = ()
        self._told_faults: tuple[Fault, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return why the files were not loaded, here or in the process that started the reload; otherwise empty."""
        return self._own_faults or self._told_faults

    def why_off(self, preset: str, ad_account_id: str) -> str | None:
        """Return the reason if the preset did not send to the ad account at the last refresh; otherwise `None`."""
        return self.switches.why_off(preset, ad_account_id)

    async def refresh(self, *, now: float) -> None:
        """Read switches and generation, reload if another process did, and write the heartbeat of this process.

        Raises OutboxUnavailable.
        """
        self.switches = await Switches.read(self._shared)
        self.tail_until = await TAIL.read(self._shared) or 0.0
        self.samples_hurried_until = await SAMPLES_HURRIED.read(self._shared) or 0.0
        if self._is_erasure_untold:
            await self.empty_tails(now=now)
        self.tail_emptied = (await ERASED_AT.read_revised(self._shared)).revision
        self._told_faults = await CATALOG_FAULTS.read(self._shared) or ()
        wanted = await WANTED_CATALOG.read_revised(self._shared)
        if wanted.value in (None, self.generation):
            self._own_faults = ()
        elif self._is_due(wanted.revision, now):
            self._take_up()
        seen = Process(process_id=self._process_id, role=self._role, generation=self.generation, seen_at=now)
        await PROCESSES.of(self._process_id).write(self._shared, seen)

    def _is_due(self, revision: int, now: float) -> bool:
        """Return whether this revision is new, or the last attempt is long enough ago."""
        tried_revision, tried_at = self._tried
        if revision == tried_revision and 0 <= now - tried_at < TRY_AGAIN_S:  # below 0: the clock was set back
            return False
        self._tried = revision, now
        return True

    async def announce(self) -> None:
        """Make the catalog of this process the wanted catalog of all processes, and clear the reported faults."""
        await WANTED_CATALOG.write(self._shared, self.generation)
        await CATALOG_FAULTS.write(self._shared, ())

    async def reload(self, *, now: float) -> bool:
        """Load the files for all processes.

        Return False, and leave the running catalog in place, if the files are faulty.

        All processes get the faults, so the console of each process shows them. Raises OutboxUnavailable.
        """
        is_taken_up = self._take_up()
        if is_taken_up:
            await self.announce()
        else:
            await CATALOG_FAULTS.write(self._shared, self._own_faults)
        await self.refresh(now=now)
        return is_taken_up

    def _take_up(self) -> bool:
        try:
            self.generation = self._reload()
        except CatalogError as exc:
            self._own_faults = exc.faults
            return False
        self._own_faults = ()
        return True

    async def processes(self, *, now: float) -> list[Process]:
        """Return the live processes, ordered by id. Raises OutboxUnavailable."""
        found = await PROCESSES.read_all(self._shared)
        return [process for process in found.values() if now - process.seen_at < PROCESS_GONE_S]

    async def want_tail(self, until: float) -> None:
        """Turn on the live tail of all processes until `until` (Unix seconds; 0 ends it), within 2 s.

        Raises OutboxUnavailable.
        """
        await TAIL.write(self._shared, until or None)
        self.tail_until = until

    async def empty_tails(self, *, now: float) -> None:
        """Make all processes discard their live tails within 2 s, because a person was erased.

        May raise OutboxUnavailable; then each `refresh` tries again.
        """
        self._is_erasure_untold = True
        await ERASED_AT.write(self._shared, now)
        self._is_erasure_untold = False

    @property
    def process(self) -> str:
        return f"{self._process_id} ({self._role})"

    async def switch(self, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, an ad account, or all sending (both `None`) for all processes, within 2 s.

        Raises UnknownName if the running catalog has no such preset or the ad account does not exist, and
        OutboxUnavailable.
        """
        if ad_account_id is not None and ad_account_id not in self._ad_account_ids:
            raise UnknownName("ad account", ad_account_id, self._ad_account_ids)
        if preset is None and ad_account_id is not None:
            await ACCOUNT_SWITCH.of(ad_account_id).write(self._shared, Switch(on=on))
        elif preset is None:
            await DESTINATION_SWITCH.write(self._shared, Switch(on=on))
        elif preset in (known := self.presets()):
            await PRESET_SWITCH.of(preset).write(self._shared, Switch(on=on))
        else:
            raise UnknownName("preset", preset, known)
        self.switches = await Switches.read(self._shared)
