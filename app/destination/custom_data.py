"""The object `custom_data`: what was bought, seen or searched for."""

import re
from types import MappingProxyType
from typing import Any

from app.destination.money import integer_between, read_currency, read_money
from app.destination.reading import (
    NO_NOTES,
    Reading,
    flattened,
    read_members,
    read_text,
    single,
    text_of,
    text_up_to,
    texts,
)
from app.destination.warnings import kind, left_out
from app.values.placeholders import PLACEHOLDERS

LDP = "LDP"
_SEPARATORS = re.compile(r"[,;\s]+")
#: Where it is a word of its own: "LDP,undefined", but not "undefined-law".
_PLACEHOLDER = re.compile(
    rf"(?<![^,;\s])(?:{'|'.join(map(re.escape, sorted(PLACEHOLDERS)))})(?![^,;\s])", re.IGNORECASE
)


def _read_opt_out_type(value: Any) -> Reading:
    """Read flags for privacy laws and separate them with commas; `ldp` in any case is LDP.

    What cannot be read beside them takes none away.
    """
    texts_given = [text_of(item) for item in flattened(value)]
    readable = [_PLACEHOLDER.sub("", text) for text in texts_given if text is not None]
    flags = [LDP if flag.upper() == LDP else flag for text in readable for flag in _SEPARATORS.split(text) if flag]
    if not flags:
        return None, (left_out(value, "a text is expected"),)
    read = ",".join(dict.fromkeys(flags))
    if readable != texts_given or not all(map(str.strip, readable)):
        return read, (f": {kind(value)} holds what is no flag of a privacy law",)
    return read, NO_NOTES if read == single(value) else (f": {kind(value)} read as flags of privacy laws",)


_read_content = read_members(
    {
        "id": read_text,
        "item_name": read_text,
        "item_category": read_text,
        "item_brand": read_text,
        # Not in Pinterest's schema yet; Segment's and RudderStack's destinations send it, cut to 64 characters.
        "item_brand_id": text_up_to(64),
        "item_price": read_money,
        "quantity": integer_between(clamp=False),
    }
)


def _read_contents(value: Any) -> Reading:
    """Read a list of products; a single one is a list of one."""
    items = value if type(value) is list else [value]
    contents: list[dict[str, Any]] = []
    notes: list[str] = [] if items is value else [": a single product sent as a list of one"]
    for index, item in enumerate(items):
        if item is None or item == "":
            continue
        content, problems = _read_content(item)
        if content:
            contents.append(content)
        if problems:
            notes += [f"[{index}]{problem}" for problem in problems]
    return contents or None, tuple(notes)


read_custom_data = read_members(
    MappingProxyType(
        {
            "currency": read_currency,
            "value": read_money,
            "predicted_ltv": read_money,
            "content_ids": texts,
            "contents": _read_contents,
            "num_items": integer_between(clamp=False),
            "order_id": read_text,
            "search_string": read_text,
            "opt_out_type": _read_opt_out_type,
            "content_name": read_text,
            "content_category": read_text,
            "content_brand": read_text,
        }
    )
)
