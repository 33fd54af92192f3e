"""What a change of the catalog does to privacy: fields that say no, and fields of which digests are sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.catalog.compile import Catalog
from app.catalog.fields import default_fields

#: What stands for a no, or decides whose data is taken. Everything below `user_data` counts too.
_FLAGS: Final = frozenset(
    {"opt_out", "gpc", "advertiser_tracking_enabled", "person_blocks", "custom_data/opt_out_type"}
)
_NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyChange:
    """One field of one preset that is found otherwise from now on."""

    preset: str
    #: `user_data/email`, or `memory` for what identity memory may complete.
    field: str
    #: The directive or value as JSON, or `nothing`.
    was: str
    becomes: str


def privacy_changes(before: Catalog, after: Catalog) -> list[PrivacyChange]:
    """Return what a person has to confirm: of presets that change, and of new ones what differs from the defaults."""
    defaults = dict(_sensitive(default_fields(before.action)))
    old = {preset.name: preset for preset in before.presets}
    changes = []
    for preset in after.presets:
        known = old.get(preset.name)
        was, becomes = dict(_sensitive(known.fields)) if known else defaults, dict(_sensitive(preset.fields))
        if known is not None:
            was["memory"], becomes["memory"] = _listed(known.remembered), _listed(preset.remembered)
        changes += [
            PrivacyChange(
                preset=preset.name, field=field, was=was.get(field, _NOTHING), becomes=becomes.get(field, _NOTHING)
            )
            for field in sorted(was.keys() | becomes.keys())
            if was.get(field) != becomes.get(field)
        ]
    return changes


def _sensitive(fields: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        field = f"{place}{name}"
        if type(value) is dict and not any(key.startswith("@") for key in value):
            yield from _sensitive(value, f"{field}/")
        elif field in _FLAGS or field.startswith("user_data"):
            yield field, orjson.dumps(value).decode()


def _listed(groups: frozenset[str]) -> str:
    return ", ".join(sorted(groups)) or _NOTHING
