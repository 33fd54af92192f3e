"""The places of an event that a mapping reads. Values at other places never reach a field."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.mapping.paths import dotted_keys, without_prefix
from app.mapping.product_ids import ID_NAMES
from app.mapping.texts import template_parts

#: The items of a list in a path, in any notation.
_OF_ITEMS: Final = re.compile(r"\[[^\]\"']*\]")
#: A field of a condition on an item of a list.
_ITEM_PATH: Final = re.compile(r"\bitem\.([A-Za-z_][\w.-]*)")
#: In a Liquid text everything that looks like a path counts as a path.
_LIQUID_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:(?:\.[\w-]+)|\[[^\]]*\])*")


def named_places(mapping: Any, below: str = "") -> Iterator[str]:
    """Yield the place of each path in the JSON of a mapping, without indices of lists; "" is the whole event.

    A trailing dot means that only the presence of the value matters.

    >>> sorted(named_places({"ids": {"@each": ["$.properties.products", {"@path": "$.sku"}]}}))
    ['properties.products.sku']
    """
    if isinstance(mapping, list):
        for item in mapping:
            yield from named_places(item, below)
    elif isinstance(mapping, dict):
        for key, value in mapping.items():
            yield from _of_member(key, value, below)


def _of_member(key: str, value: Any, below: str) -> Iterator[str]:
    match key, value:
        case "@path", str():
            yield _place(value, below)
        case "@template", str():
            yield from (_place(part, below) for part, is_path in template_parts(value) if is_path)
        case "@liquid", str():
            yield from (_place(path, below) for path in _LIQUID_PATH.findall(value))
        case "@each" | "@arrayPath", [str() as root, dict() as shape, *options]:
            list_place = _place(root, below)
            yield from named_places(shape, list_place)
            yield from (f"{_joined(list_place, path)}." for each in options for path in _ITEM_PATH.findall(str(each)))
        case "@arrayPath", [str() as root]:
            yield _place(root, below)
        case "@productId", dict():
            product = _place(value.get("of", "$"), below)
            yield from (_joined(product, name) for names in ID_NAMES.values() for name in names)
            yield from named_places(value.get("else"), below)
        case "exists", _:
            yield from (f"{place}." for place in named_places(value, below))
        case "@transform", dict():  # the inner mapping reads the same values as the rest of the directive
            yield from named_places(value.get("apply"), below)
        case "@blocks", dict():
            yield from _of_blocks(value, below)
        case _:
            yield from named_places(value, below)


def _of_blocks(options: Mapping[str, Any], below: str) -> Iterator[str]:
    """Yield the places that `@blocks` reads: the spellings of all members in each place, and in its inner objects."""
    shared = _spellings(options.get("members")) | _spellings(options.get("beside"))
    within = ["", *options.get("within", ())]
    for item in (*options.get("places", ()), *options.get("recipients", ())):
        own = item if isinstance(item, dict) else {"place": item}
        place = _place(own.get("place", ""), below)
        for name in shared | _spellings(own.get("members")):
            yield from (_joined(_joined(place, inner), name) for inner in within)


def _spellings(members: Any) -> set[str]:
    return {each for spellings in (members or {}).values() for each in spellings}


def _place(path: str, below: str) -> str:
    """Return the place of a path that starts at the place `below`."""
    text = without_prefix(path).partition("[?")[0]  # a filter may read any member of the list
    keys = dotted_keys(_OF_ITEMS.sub("", text)) if not text.startswith("$..") else ()
    return _joined(below, ".".join(key for key in keys or () if not key.isdecimal()))


def _joined(above: str, name: str) -> str:
    return f"{above}.{name}" if above and name else above or name
