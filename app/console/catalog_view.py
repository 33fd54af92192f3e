"""What the console shows of the running catalog."""

from collections.abc import Sequence
from typing import Any

import orjson

from app.catalog import ACTION, Preset
from app.catalog.running import RunningCatalog
from app.console.services import PresetView, SourceFile


class CatalogForPeople:
    """What the console shows of the running catalog."""

    def __init__(self, running: RunningCatalog) -> None:
        self._running = running

    def presets(self) -> Sequence[PresetView]:
        """Return all presets."""
        return [_view(preset) for preset in self._running.catalog.presets]

    def files(self) -> Sequence[SourceFile]:
        """Return the texts that the catalog was made of."""
        texts = self._running.preset_texts | self._running.mapping_texts
        return [SourceFile(file=file, text=text) for file, text in texts.items()]


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
