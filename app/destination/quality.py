"""Pinterest's event quality: the components that an event has.

The eleven are those of its score, `GET /ad_accounts/{id}/conversion_eqs` (API description 5.22 and later).
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from app.core.fields import COMPONENT_FIELDS, MATCH_FIELDS

#: By their names in Pinterest's API.
COMPONENTS = tuple(COMPONENT_FIELDS)
#: The match keys that are counted for each event; the components come first.
MATCH_KEYS = tuple(MATCH_FIELDS)


def components(event: dict[str, Any]) -> tuple[str, ...]:
    """Return those of COMPONENTS that a finished event has, in their order."""
    return tuple([name for name in match_keys(event) if name in COMPONENTS])


def match_keys(event: dict[str, Any]) -> tuple[str, ...]:
    """Return those of MATCH_KEYS that a finished event has, in their order."""
    custom_data = event.get("custom_data", {})
    product = ("content_ids",) if any("id" in content for content in custom_data.get("contents", ())) else ()
    return _match_keys(tuple(event), tuple(event["user_data"]), (*custom_data, *product))


@lru_cache(1_024)  # only a few sets of members occur among thousands of events
def _match_keys(event: Collection[str], user_data: Collection[str], custom_data: Collection[str]) -> tuple[str, ...]:
    parts = {"event": event, "user_data": user_data, "custom_data": custom_data}
    return tuple([name for name, field in MATCH_FIELDS.items() if field.wire in parts[field.part]])
