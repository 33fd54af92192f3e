"""What the console shows of the running catalog."""

from dataclasses import dataclass
from typing import Any

import orjson

from app.catalog import ACTION, Catalog, Preset
from app.types import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetView:
    """One preset of the running catalog."""

    name: str
    #: As found, e.g. `presets/checkout.yaml`.
    file: str
    #: One sentence; "" where the file gives none.
    description: str
    #: The trigger, as written.
    subscribe: str
    action: str
    #: As written in the mapping; a directive is shown as its JSON.
    event_name: str
    action_source: str
    #: What the file says. A switch of the outbox can switch an enabled preset off, not a disabled one on.
    enabled: bool
    #: Field and where its value comes from, in the action's order; fields without a mapping are left out.
    sends: tuple[tuple[str, str], ...]
    #: A Segment event that this preset takes; None where the file gives none.
    example: Event | None


def preset_views(catalog: Catalog) -> list[PresetView]:
    """Return what is shown of all presets, switched-off ones too, in the order of their files."""
    return [_view(preset) for preset in catalog.presets]


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
