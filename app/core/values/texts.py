"""Texts for people: counts in words, foreign text on a terminal, and lists that are written as texts."""

import json
import re
from typing import Any, Final

#: Control characters, old and new (C0, C1), line and paragraph ends, surrogates, marks of direction (Unicode's
#: Bidi_Control; Trojan Source is an example), and invisible characters: format characters and fillers.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("[\t\n]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text with visible escapes for hidden characters; line ends and tabs stay if `lines` is true.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    shown = _HIDDEN.sub(_written_out, text)
    return shown if lines else _BREAKS.sub(_written_out, shown)


def _written_out(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def visible_json(text: str) -> str:
    """Return equivalent JSON with JSON escapes for the hidden characters of its texts."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun; without `many`, the plural is `one` with an s.

    >>> count_of(1, "event"), count_of(12_034, "event"), count_of(0, "delivery", "deliveries")
    ('1 event', '12,034 events', '0 deliveries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


#: Brackets of a list or an object that is written as a text.
_BRACKETS: Final = ("[]", "{}")
#: Deeper nesting is not a list of products or ids.
_MAX_LEVELS: Final = 8


def written_list(text: str) -> Any:
    """Return the list or object in a text of JSON, or the parts of `[a, b]`; `None` for other texts.

    >>> written_list('[1, "2.50"]'), written_list(" [a@b.example,c@d.example] "), written_list("Oak [S]")
    ([1, '2.50'], ['a@b.example', 'c@d.example'], None)
    """
    import orjson  # noqa: PLC0415 - no part of --version

    given = text.strip()
    if given[:1] + given[-1:] not in _BRACKETS:
        return None
    try:
        written = orjson.loads(given)
    except orjson.JSONDecodeError:
        if "{" in given or given.startswith("[object "):
            return None
    else:
        return written if _is_shallow(written, _MAX_LEVELS) else None
    return [part.strip().strip("\"'") for part in given[1:-1].split(",")]


def _is_shallow(value: Any, levels: int) -> bool:
    inner = value.values() if type(value) is dict else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner if type(each) in (list, dict))


def written_texts(value: Any) -> Any:
    """Return the texts and numbers of a list that is written as a text; other values unchanged.

    >>> written_texts('["OA-1", {"id": 1}, 2]'), written_texts("OA-1")
    (['OA-1', 2], 'OA-1')
    """
    found = written_list(value) if type(value) is str and value.lstrip()[:1] == "[" else None
    return value if found is None else [each for each in found if type(each) in (str, int, float)]
