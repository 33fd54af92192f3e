"""Texts for people: counts in words, and a stranger's text on a terminal."""

import re

#: Control characters, old and new (C0, C1), line and paragraph ends, and what turns the direction of reading or has no
#: width (Unicode's Bidi_Control and other format characters, Trojan Source among their uses).
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_BREAKS = re.compile("[\t\n]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text with its hidden characters written out; line ends and tabs stay where `lines` says so.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    shown = _HIDDEN.sub(_written_out, text)
    return shown if lines else _BREAKS.sub(_written_out, shown)


def _written_out(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def visible_json(text: str) -> str:
    """Return a text of JSON that means the same, with the hidden characters of its texts written out as JSON does."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word; `many` is `one` with an s where it is None.

    >>> count_of(1, "event"), count_of(12_034, "event"), count_of(0, "delivery", "deliveries")
    ('1 event', '12,034 events', '0 deliveries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
