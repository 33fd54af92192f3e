"""What one event carries: which properties, of which kind, and which of the things that matter to Pinterest.

Names and kinds only: no value leaves this module.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from app.catalog import Catalog
from app.core.events import Event
from app.destination import phones_beside
from app.errors import MappingError
from app.outbox.inventory import MAX_PROPERTIES
from app.pipeline.received_names import kept_name

#: What the mapping must find, and where it puts it.
LOOKED_FOR: Final[Mapping[str, tuple[str, str]]] = {
    "value": ("custom_data", "value"),
    "currency": ("custom_data", "currency"),
    "order id": ("custom_data", "order_id"),
    "product ids": ("custom_data", "content_ids"),
    "e-mail": ("user_data", "email"),
    "phone": ("user_data", "phone"),
    "external id": ("user_data", "external_id"),
    "click id": ("user_data", "click_id"),
    "IP address": ("user_data", "client_ip_address"),
    "user agent": ("user_data", "client_user_agent"),
}
#: Found where a preset takes the event as a checkout.
CHECKOUT: Final = "checkout"

#: Where senders put what they say of a kind of event.
_ROOTS: Final = ("properties", "traits")
_MAX_DEPTH: Final = 4
_KINDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "yes or no",
    dict: "object",
    list: "list",
    type(None): "nothing",
}
_OTHER: Final = "other"
#: What may end the label of a property, behind a space.
KINDS: Final = (*_KINDS.values(), _OTHER)


def properties_of(event: Event) -> list[str]:
    """Return the path and kind of each property, such as `properties.products[].price number`; 64 at most."""
    found: dict[str, None] = {}
    for root in _ROOTS:
        for path, kind in _members(event.get(root), root, 1):
            found[f"{path} {kind}"] = None
            if len(found) == MAX_PROPERTIES:
                return list(found)
    return list(found)


def _members(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each member of an object with its kind, and theirs; of a list, those of its first member."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return
    for name, member in value.items():
        at = f"{path}.{kept_name(name)}"
        yield at, _KINDS.get(type(member), _OTHER)
        if isinstance(member, list) and member:
            at, member = f"{at}[]", member[0]  # noqa: PLW2901 - it goes on with the first of them
            if not isinstance(member, dict):
                yield at, _KINDS.get(type(member), _OTHER)
        yield from _members(member, at, depth + 1)


class Sampler:
    """Tells what the presets that run now find in an event."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def found_in(self, event: Event) -> list[str]:
        """Return which of LOOKED_FOR is found, by the first preset that takes the event, else by the defaults.

        CHECKOUT is among them where a preset takes it as one.
        """
        catalog = self._catalog()
        presets = catalog.matching(event)
        try:
            fields = (presets[0].mapping if presets else catalog.defaults).resolve(event) or {}
        except MappingError:
            return []
        groups = {name: fields.get(name) or {} for name in ("user_data", "custom_data")}
        if isinstance(who := groups["user_data"], dict):
            groups["user_data"] = who | {"phone": phones_beside(who.get("phone"), fields.get("person_blocks"))}
        found = [
            label
            for label, (group, member) in LOOKED_FOR.items()
            if isinstance(groups[group], dict) and groups[group].get(member) not in (None, "", [], {})
        ]
        return [*found, CHECKOUT] if presets and fields.get("event_name") == CHECKOUT else found
