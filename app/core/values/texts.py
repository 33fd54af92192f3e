"""Texts for people: counts in words, and a stranger's text on a terminal."""

import json
import re

#: Control characters, old and new (C0, C1), line and paragraph ends, halves of characters, what turns the direction of
#: reading (Unicode's Bidi_Control; Trojan Source is one use), and what cannot be seen: format characters and fillers.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
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
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word; `many` is `one` with an s where it is None.

    >>> count_of(1, "event"), count_of(12_034, "event"), count_of(0, "delivery", "deliveries")
    ('1 event', '12,034 events', '0 deliveries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
