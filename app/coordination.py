"""What every process must know, kept in the outbox: switches, the catalog's generation, which processes live.

switch/destination, switch/preset/NAME    {"on": false} stops the destination, or one preset
catalog/generation                        {"generation": "..."}; the catalog that every process should run
catalog/faults                            {"faults": [{"path", "message", "file"}]}; [] where the last reload succeeded
process/ID                                {"role", "generation", "seen_at"}; written by each process itself
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

from app.errors import CatalogError, Fault
from app.types import Shared

#: Every process looks this often, so a switch or a reload is known everywhere within 2 s.
REFRESH_S = 1.0
#: Files that could not be taken up are tried again after so long.
TRY_AGAIN_S = 10.0
#: A process that was not seen for so long is gone.
PROCESS_GONE_S = 10.0

DESTINATION = "switch/destination"
PRESET = "switch/preset/"
CATALOG = "catalog/"
GENERATION = CATALOG + "generation"
FAULTS = CATALOG + "faults"
PROCESS = "process/"

#: Loads the files anew and answers the generation that runs now, or raises CatalogError and keeps the old one.
Reload: TypeAlias = Callable[[], str]


class _SharedValues(Protocol):
    async def get_shared(self, key: str) -> Shared | None: ...

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None: ...

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process that shares the outbox."""

    process_id: str
    role: str
    #: Of the catalog it runs.
    generation: str
    seen_at: float


class Coordination:
    """Takes up what other processes decided, and tells them what this one runs."""

    def __init__(self, shared: _SharedValues, reload: Reload, *, generation: str, process_id: str, role: str) -> None:
        self._shared = shared
        self._reload = reload
        self._process_id = process_id
        self._role = role
        self._switches: Mapping[str, Shared] = {}
        self._tried = (0, 0.0)  # revision of the wanted generation, and when it was tried
        #: Of the catalog that runs here.
        self.generation = generation
        self._own_faults: tuple[Fault, ...] = ()
        self._told_faults: tuple[Fault, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Why the files are not taken up, here or where a reload was asked for; empty where they are."""
        return self._own_faults or self._told_faults

    async def refresh(self, *, now: float) -> None:
        """Read switches and generation, reload where another process did, and say that this one lives."""
        self._switches = await self._shared.list_shared("switch/")
        catalog = await self._shared.list_shared(CATALOG)
        told = catalog.get(FAULTS)
        self._told_faults = tuple(Fault(**fault) for fault in told.value["faults"]) if told else ()
        wanted = catalog.get(GENERATION)
        if not wanted or wanted.value["generation"] == self.generation:
            self._own_faults = ()
        elif self._is_due(wanted.revision, now):
            self._take_up()
        seen = {"role": self._role, "generation": self.generation, "seen_at": now}
        await self._shared.put_shared(PROCESS + self._process_id, seen)

    def _is_due(self, revision: int, now: float) -> bool:
        """Whether this wish is new, or was tried long enough ago."""
        tried_revision, tried_at = self._tried
        if revision == tried_revision and now - tried_at < TRY_AGAIN_S:
            return False
        self._tried = revision, now
        return True

    async def announce(self) -> None:
        """Make this process' catalog the one that every process should run; faults that were told are mended."""
        await self._shared.put_shared(GENERATION, {"generation": self.generation})
        await self._shared.put_shared(FAULTS, {"faults": []})

    async def reload(self, *, now: float) -> bool:
        """Load the files anew for all processes; False where they are faulty and the running catalog stays.

        Either way every process knows the faults, so that the console shows them whichever process answers.
        """
        is_taken_up = self._take_up()
        if is_taken_up:
            await self.announce()
        else:
            await self._shared.put_shared(FAULTS, {"faults": [asdict(fault) for fault in self._own_faults]})
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
        """List the processes that live."""
        found = await self._shared.list_shared(PROCESS)
        return [
            Process(process_id=key.removeprefix(PROCESS), **shared.value)
            for key, shared in sorted(found.items())
            if now - shared.value["seen_at"] < PROCESS_GONE_S
        ]

    async def switch(self, key: str, *, on: bool) -> None:
        """Switch the destination (`DESTINATION`) or a preset (`PRESET + name`) for all processes."""
        await self._shared.put_shared(key, {"on": on})
        self._switches = await self._shared.list_shared("switch/")

    def _off(self, key: str) -> bool:
        shared = self._switches.get(key)
        return shared is not None and not shared.value["on"]

    @property
    def destination_off(self) -> bool:
        """Whether the destination is switched off."""
        return self._off(DESTINATION)

    @property
    def presets_off(self) -> frozenset[str]:
        """The presets that are switched off by hand."""
        return frozenset(
            key.removeprefix(PRESET) for key in self._switches if key.startswith(PRESET) and self._off(key)
        )

    def why_off(self, preset: str) -> str | None:
        """Say why the preset sends nothing now; None where it does."""
        if self.destination_off:
            return "the destination is switched off"
        return "the preset is switched off" if self._off(PRESET + preset) else None
