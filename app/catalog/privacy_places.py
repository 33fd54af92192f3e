"""Who said no, read in every record of every source of kind `mapped`, so that no file can forget it.

A no is looked for in each object that the source's mapping reads anything of, in the usual ones beside it, and in lists
of names and values, as shops write attributes of an order. It goes into the event's `context`, beside what the mapping
puts there: one no wins over any yes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from app.core.values.flags import flag_is_given

#: The way to an object in a record.
_Keys: TypeAlias = tuple[str, ...]
#: Objects to look into, by their keys, each with those in it.
_Tree: TypeAlias = dict[str, "_Tree"]

_DEVICE: Final = "device"
#: Where each spelling goes in the event's `context`.
_PLACES: Final[Mapping[str, _Keys]] = {
    **dict.fromkeys(("opt_out", "optOut"), ("opt_out",)),
    **dict.fromkeys(("opt_out_type", "optOutType"), ("opt_out_type",)),
    "gpc": ("gpc",),
    **dict.fromkeys(("adTrackingEnabled", "ad_tracking_enabled"), (_DEVICE, "adTrackingEnabled")),
    **dict.fromkeys(("attTrackingStatus", "att_tracking_status"), (_DEVICE, "attTrackingStatus")),
    **dict.fromkeys(("trackingStatus", "tracking_status"), (_DEVICE, "trackingStatus")),
}
#: Elsewhere the status of tracking is that of a parcel.
_OF_DEVICES: Final = frozenset({"trackingStatus", "tracking_status"})
_DEVICES: Final = frozenset({_DEVICE, "device_info"})
#: Objects of `body` and `item` that many senders have, whatever a mapping reads.
_USUAL: Final[tuple[_Keys, ...]] = (
    (),
    *[(name,) for name in ("properties", "params", "traits", _DEVICE, "user_data", "user_properties", "metadata")],
    *[("context",), ("context", "traits"), ("context", _DEVICE), ("note_attributes",), ("meta_data",)],
)


class PrivacyPlaces:
    """Finds who said no in the records of one kind of event, and tells the event."""

    def __init__(self, asked: Iterable[_Keys], *, of_list: bool) -> None:
        """Take the objects that the mapping asks; `of_list`: an event is made of each `item` of a list in the body.

        Then lists in the body are left alone: what one of the others said is not said of this one.
        """
        self._trees: dict[str, _Tree] = {"body": {}, "item": {}, "query": {}, "cloudevent": {}}
        usual = ((root, *keys) for root in ("body", "item") for keys in _USUAL)
        for root, *keys in filter(None, (*asked, *usual)):
            tree = self._trees.get(root, {})  # of no other root
            for key in keys:
                tree = tree.setdefault(key, {})
        self._of_list = of_list

    def tell(self, event: dict[str, Any], record: Mapping[str, Any]) -> None:
        """Add what the record says to the `context` of the event that was made of it."""
        said: dict[str, Any] = {}
        for root in self._trees.keys() & record.keys():
            _look(record[root], self._trees[root], said, in_lists=not self._of_list or root == "item")
        if said:
            event["context"] = _beside(event.get("context"), said)


def _look(value: Any, tree: _Tree, said: dict[str, Any], *, in_lists: bool, is_device: bool = False) -> None:
    if type(value) is list and in_lists:
        for item in value:
            _look(item, tree, said, in_lists=True, is_device=is_device)
    if type(value) is not dict:
        return
    if not _PLACES.keys().isdisjoint(value):
        for name in _PLACES.keys() & value.keys():
            if is_device or name not in _OF_DEVICES:
                _add(said, name, value[name])
    if "value" in value:
        named = value.get("name", value.get("key"))
        if type(named) is str and named in _PLACES and named not in _OF_DEVICES:
            _add(said, named, value["value"])
    for key in tree.keys() & value.keys():
        _look(value[key], tree[key], said, in_lists=in_lists, is_device=key in _DEVICES)


def _add(said: dict[str, Any], name: str, value: Any) -> None:
    if type(value) is dict and "value" in value:  # as GA4 writes user properties
        value = value["value"]
    if flag_is_given(value):
        *above, last = _PLACES[name]
        holder = said.setdefault(above[0], {}) if above else said
        holder.setdefault(last, []).append(value)


def _beside(own: Any, said: dict[str, Any]) -> Any:
    """Return an object with what was said in it, beside what it says itself; a list where it is no object."""
    if own is None:
        own = {}
    if type(own) is not dict:
        return [*(own if type(own) is list else [own]), _beside(None, said)]
    told = {}
    for name, values in said.items():
        mine = own.get(name)
        told[name] = _beside(mine, values) if type(values) is dict else values if mine is None else [mine, *values]
    return own | told
