"""The switches of the destination and of each preset, as the outbox keeps them for every process."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.console.services import ConsoleOutbox
from app.types import Shared

DESTINATION = "switch/destination"
PRESET = "switch/preset/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What is switched off; all else is on."""

    destination_on: bool
    presets_off: frozenset[str]

    @classmethod
    async def read(cls, outbox: ConsoleOutbox) -> "Switches":
        """Read all switches; one that was never used is on."""
        found = await outbox.list_shared("switch/")
        off = {key for key, shared in found.items() if not _is_on(shared)}
        return cls(
            destination_on=DESTINATION not in off,
            presets_off=frozenset(key.removeprefix(PRESET) for key in off if key.startswith(PRESET)),
        )


async def switch(outbox: ConsoleOutbox, preset: str | None, *, on: bool) -> None:
    """Switch a preset, or the destination where it is None; every process takes it up within 2 s."""
    await outbox.put_shared(DESTINATION if preset is None else PRESET + preset, {"on": on})


def _is_on(shared: Shared) -> bool:
    return not isinstance(shared.value, Mapping) or bool(shared.value.get("on", True))
