"""What the action's mapping finds of people, and which of it a preset leaves to memory."""

from typing import Any, Final

from app.catalog.fields import default_fields, fill_from_blocks, is_plain
from app.catalog.files import ActionFile, PresetFile
from app.destination.user_field import USER_FIELDS
from app.identity import GROUPS, groups_named

#: Fields of the action that say who somebody is, what that person permits, and where it was.
_ASKED: Final = ("user_data", "person_blocks", "opt_out", "gpc", "advertiser_tracking_enabled", "event_source_url")
_WIRES: Final = {field.name: field.wire for field in USER_FIELDS}
#: What a preset decides that maps `person_blocks` itself.
_OF_BLOCKS: Final = ("name", "place", "ph", "ge", "db")


def person_fields(action: ActionFile) -> dict[str, Any]:
    """Return the part of the action's defaults that is about the person of an event."""
    defaults = default_fields(action)
    found = {name: defaults[name] for name in _ASKED if name in defaults}
    opt_out_type = defaults.get("custom_data", {}).get("opt_out_type")
    return fill_from_blocks(found | {"custom_data": {"opt_out_type": opt_out_type}}, action)


def left_to_memory(preset: PresetFile) -> frozenset[str]:
    """Return the groups of facts that memory may complete in a preset's deliveries: those that it does not name."""
    own = preset.mapping.get("user_data", {})
    if not preset.remember or not is_plain(own):
        return frozenset()
    named = groups_named([_WIRES.get(name, name) for name in own])
    return frozenset(GROUPS) - named - frozenset(_OF_BLOCKS if "person_blocks" in preset.mapping else ())


def finds_person(preset: PresetFile) -> bool:
    """Return whether a preset leaves all that is about the person of an event to the action's defaults."""
    custom_data = preset.mapping.get("custom_data", {})
    return preset.mapping.keys().isdisjoint(_ASKED) and is_plain(custom_data) and "opt_out_type" not in custom_data
