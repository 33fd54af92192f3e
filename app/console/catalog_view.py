"""What the console shows of the running catalog."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from app.catalog import ACTION, Preset
from app.catalog.running import RunningCatalog
from app.console.services import PresetView, ProcessView, SourceFile
from app.coordination import Coordination
from app.errors import Fault


class CatalogForPeople:
    """What the console shows of the running catalog."""

    def __init__(self, running: RunningCatalog, coordination: Coordination, clock: Callable[[], float]) -> None:
        self._running = running
        self._coordination = coordination
        self._clock = clock

    def presets(self) -> Sequence[PresetView]:
        """Show all presets."""
        return [_view(preset) for preset in self._running.catalog.presets]

    def files(self) -> Sequence[SourceFile]:
        """Show the texts that the catalog was made of."""
        texts = self._running.preset_texts | self._running.mapping_texts
        return [SourceFile(file=file, text=text) for file, text in texts.items()]

    def faults(self) -> Sequence[Fault]:
        """Tell what was wrong with the files at the last reload."""
        return self._coordination.faults

    def generation(self) -> str:
        """Name the catalog that this process runs."""
        return self._running.catalog.generation

    async def processes(self) -> Sequence[ProcessView]:
        """List the processes that share the outbox."""
        return [
            ProcessView(
                process_id=process.process_id,
                role=process.role,
                generation=process.generation,
                seen_at=process.seen_at,
            )
            for process in await self._coordination.processes(now=self._clock())
        ]

    async def reload(self) -> Sequence[Fault]:
        """Read the files again; empty where they are the running catalog now."""
        await self._coordination.reload(now=self._clock())
        return self._coordination.faults


def _view(preset: Preset) -> PresetView:
    return PresetView(
        name=preset.name,
        file=preset.file,
        description=preset.description,
        subscribe=preset.trigger.text,
        action=ACTION,
        event_name=_shown(preset.fields["event_name"]),
        action_source=_shown(preset.fields["action_source"]),
        enabled=preset.enabled,
        sends=tuple(_sends(preset.fields, "")),
        example=preset.example,
    )


def _sends(fields: dict[str, Any], place: str) -> list[tuple[str, str]]:
    """List each field with where its value comes from, members after their object."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, dict) and not any(key.startswith("@") for key in value):
            found.extend(_sends(value, f"{place}{name}/"))
        else:
            found.append((place + name, _shown(value)))
    return found


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
