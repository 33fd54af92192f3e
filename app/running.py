"""The catalog that runs now: loaded at start-up, replaced as a whole by a reload, shown to people."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from app.catalog import ACTION, Catalog, Preset, compile_catalog
from app.catalog_texts import read_texts
from app.config import Settings
from app.console import PresetView, ProcessView, SourceFile
from app.coordination import Coordination
from app.errors import Fault


class RunningCatalog:
    """Reads the files of the settings, and hands each new catalog to the pipeline."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.preset_texts: dict[str, str] = {}
        self.mapping_texts: dict[str, str] = {}
        #: Is told of every new catalog.
        self.on_change: Callable[[Catalog], None] = lambda _: None
        self.catalog = self._load()

    def _load(self) -> Catalog:
        presets, mappings = read_texts(self._settings.presets_dir, self._settings.mappings_dir)
        catalog = self.compile(presets, mappings)
        self.preset_texts, self.mapping_texts = presets, mappings
        return catalog

    def compile(self, presets: dict[str, str], mappings: dict[str, str]) -> Catalog:
        """Compile texts by file name, with the advertiser's own event names. Raises CatalogError."""
        return compile_catalog(presets, mappings, custom_event_names=self._settings.custom_event_names)

    def reload(self) -> str:
        """Read the files anew, all or nothing; answer the generation that runs now. Raises CatalogError."""
        self.catalog = self._load()
        self.on_change(self.catalog)
        return self.catalog.generation


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
