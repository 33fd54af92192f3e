"""What every process must know of the others: switches, the catalog that all should run, which processes live.

It is kept in the outbox (`app.core.shared_values`). This is the only place that reads and writes switches.
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

#: Every process looks this often, so a switch or a reload is known everywhere within 2 s.
REFRESH_S = 1.0
#: Files that could not be taken up are tried again after so long.
TRY_AGAIN_S = 10.0
#: A process that was not seen for so long is gone.
PROCESS_GONE_S = 10.0

#: Loads the files anew and returns the generation that runs now, or raises CatalogError and keeps the old one.
Reload: TypeAlias = Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What is switched off by hand; all else is on."""

    destination_off: bool = False
    presets_off: frozenset[str] = frozenset()
    #: Of ad accounts, by id.
    accounts_off: frozenset[str] = frozenset()

    @classmethod
    async def read(cls, shared: SharedValues) -> "Switches":
        """Return the switches as they are now. Raises OutboxUnavailable."""
        destination = await DESTINATION_SWITCH.read(shared)
        presets = await PRESET_SWITCH.read_all(shared)
        accounts = await ACCOUNT_SWITCH.read_all(shared)
        return cls(
            destination_off=destination is not None and not destination.on,
            presets_off=frozenset(name for name, switch in presets.items() if not switch.on),
            accounts_off=frozenset(name for name, switch in accounts.items() if not switch.on),
        )

    def is_off(self, ad_account_id: str) -> bool:
        """Return whether nothing is sent to the ad account, whatever the preset."""
        return self.destination_off or ad_account_id in self.accounts_off

    def of(self, ad_account_id: str) -> "Switches":
        """Return the switches as one ad account sees them: `destination_off` says whether it sends nothing."""
        return replace(self, destination_off=True) if ad_account_id in self.accounts_off else self

    def why_off(self, preset: str, ad_account_id: str) -> str | None:
        """Return why the preset sends nothing to the ad account now, in words; None where it does."""
        if self.is_off(ad_account_id):
            return "the destination is switched off"
        return "the preset is switched off" if preset in self.presets_off else None


class Coordination:
    """Takes up what other processes decided, and tells them what this one runs."""

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
        #: Returns the names of the running catalog, those off in their files too.
        self.presets = presets
        self._ad_account_ids = ad_account_ids
        self._process_id = process_id
        self._role = role
        self._tried = (0, 0.0)  # revision of the wanted generation, and when it was tried
        #: As they were at the last refresh.
        self.switches = Switches()
        #: Until when the live tail is wanted, as of then; 0 where it is not.
        self.tail_until = 0.0
        #: Until when more samples are wanted, likewise.
        self.samples_hurried_until = 0.0
        #: A number that changes when live tails are to let go of what they hold.
        self.tail_emptied = 0
        self._is_erasure_untold = False
        #: Of the catalog that runs here.
        self.generation = generation
        self._own_faults: tuple[Fault, ...] = ()
        self._told_faults: tuple[Fault, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Why the files are not taken up, here or where a reload was asked for; empty where they are."""
        return self._own_faults or self._told_faults

    def why_off(self, preset: str, ad_account_id: str) -> str | None:
        """Return why the preset sends the ad account nothing, as of the last refresh, in words; None where it sends."""
        return self.switches.why_off(preset, ad_account_id)

    async def refresh(self, *, now: float) -> None:
        """Read switches and generation, reload where another process did, and say that this one lives.

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
        """Whether this wish is new, or was tried long enough ago."""
        tried_revision, tried_at = self._tried
        if revision == tried_revision and 0 <= now - tried_at < TRY_AGAIN_S:  # below 0: the clock was set back
            return False
        self._tried = revision, now
        return True

    async def announce(self) -> None:
        """Make this process' catalog the one that every process should run; faults that were told are mended."""
        await WANTED_CATALOG.write(self._shared, self.generation)
        await CATALOG_FAULTS.write(self._shared, ())

    async def reload(self, *, now: float) -> bool:
        """Load the files anew for all processes; False where they are faulty and the running catalog stays.

        Either way every process knows the faults, so that the console shows them whichever process answers.
        Raises OutboxUnavailable.
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
        """Return the processes that live, by their ids. Raises OutboxUnavailable."""
        found = await PROCESSES.read_all(self._shared)
        return [process for process in found.values() if now - process.seen_at < PROCESS_GONE_S]

    async def want_tail(self, until: float) -> None:
        """Have every process show what it receives until then, within 2 s; 0: no longer. Raises OutboxUnavailable."""
        await TAIL.write(self._shared, until or None)
        self.tail_until = until

    async def empty_tails(self, *, now: float) -> None:
        """Have every process let go of what its live tail holds, within 2 s: somebody is erased.

        May raise OutboxUnavailable; then each `refresh` tries again until it is told.
        """
        self._is_erasure_untold = True
        await ERASED_AT.write(self._shared, now)
        self._is_erasure_untold = False

    @property
    def process(self) -> str:
        return f"{self._process_id} ({self._role})"

    async def switch(self, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, or else one ad account, or all sending where both are None, for all processes.

        They know within 2 s. Raises UnknownName where the running catalog has no such preset, or there is no such ad
        account, and OutboxUnavailable.
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
