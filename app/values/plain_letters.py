"""Texts as people read them, so that what looks like a number or an address is found as one."""

import re
import unicodedata
from typing import Final

#: Characters of no width (Unicode's category Cf, without its visible number signs), for a class of characters: soft
#: hyphen, zero-width space, marks of direction that phones and address books put around numbers, byte order mark.
NO_WIDTH: Final = r"\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_UNSEEN: Final = re.compile(f"[{NO_WIDTH}]+")


def plain_letters(text: str) -> str:
    """Return a text with letters of full width and digits of any script in ASCII, without characters of no width.

    >>> plain_letters("ad\u200ba\uff20shop.example \u0663")
    'ada@shop.example 3'
    """
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in plain)
