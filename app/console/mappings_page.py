"""What the console shows of the running catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.catalog import ACTION, MAX_ENABLED_PRESETS, Catalog, Preset
from app.catalog.fields import default_fields
from app.console.pages import PageGroup, go, person_of, read_form
from app.core.coordination import Switches
from app.core.events import Event
from app.core.values.times import hold_text


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
    #: How long its deliveries are kept back, such as `30m`, and which events withdraw an order meanwhile; "" for none.
    hold: str
    withdrawn_by: str
    #: What the file says. A switch of the outbox can switch an enabled preset off, not a disabled one on.
    enabled: bool
    #: Other fields that it maps otherwise than the action: field, where its value comes from, and where by default; ""
    #: where the action does not map it.
    differs: tuple[tuple[str, str, str], ...]
    #: A Segment event that this preset takes; None where the file gives none.
    example: Event | None


def preset_views(catalog: Catalog) -> list[PresetView]:
    """Return what is shown of all presets, switched-off ones too, in the order of their files."""
    defaults = dict(default_sources(catalog))
    return [_view(preset, defaults) for preset in catalog.presets]


def default_sources(catalog: Catalog) -> list[tuple[str, str]]:
    """Return where the fields come from that presets do not map themselves: field and source, in the action's order."""
    return _sends(default_fields(catalog.action), "")


def _view(preset: Preset, defaults: Mapping[str, str]) -> PresetView:
    return PresetView(
        name=preset.name,
        file=preset.file,
        description=preset.description,
        subscribe=preset.trigger.text,
        action=ACTION,
        event_name=_shown(preset.fields["event_name"]),
        action_source=_shown(preset.fields["action_source"]),
        hold=hold_text(preset.hold_s) if preset.hold_s else "",
        withdrawn_by=preset.withdrawn_by.text if preset.withdrawn_by else "",
        enabled=preset.enabled,
        differs=tuple(
            (field, source, defaults.get(field, ""))
            for field, source in _sends(preset.fields, "")
            if source != defaults.get(field) and field not in ("event_name", "action_source")
        ),
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


#: What was just done -> what the page says of it. Nothing else from the address is shown.
DONE = {
    "reloaded": "The files were read again and are in use. Other processes follow within 2 seconds.",
    "kept": "The files have faults, so nothing was changed: the catalog that was running runs on.",
    "on": "Switched on. Every process takes it up within 2 seconds.",
    "off": "Switched off. Every process takes it up within 2 seconds.",
}


class MappingPages(PageGroup):
    """The list of presets, the switches, the reload button."""

    async def show(self, request: Request) -> Response:
        """Show all presets and which process runs which catalog."""
        services, coordination = self._services, self._services.coordination
        return self._pages.render(
            request,
            "mappings.html",
            nav="mappings",
            presets=preset_views(services.running.catalog),
            defaults=default_sources(services.running.catalog),
            max_presets=MAX_ENABLED_PRESETS,
            faults=coordination.faults,
            generation=coordination.generation,
            sources=[(name, services.traits_of(name)) for name in services.sources()],
            processes=await coordination.processes(now=services.clock()),
            switches=await Switches.read(services.outbox),
            done=request.query_params.get("done", ""),
            said=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def switch(self, request: Request) -> Response:
        """Switch one preset, one ad account, or all sending where the form names neither."""
        form = await read_form(request)
        preset, account, on = form.get("preset"), form.get("ad_account_id"), form.get("on") == "yes"
        await self._services.acts.sending.switch(person_of(request), preset, on=on, ad_account_id=account)
        if preset and form.get("to") == "preset":
            return go(request, "preset", {"name": preset})
        return go(request, "mappings", {"done": "on" if on else "off"})

    async def reload(self, request: Request) -> Response:
        """Read the files again, all or nothing."""
        faults = await self._services.acts.catalog.reload(person_of(request))
        return go(request, "mappings", {"done": "kept" if faults else "reloaded"})
