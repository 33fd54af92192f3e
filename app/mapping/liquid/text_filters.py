"""Liquid's filters on texts."""

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_plus

from app.mapping.liquid.values import MAX_SIZE, TooLargeError, liquid_text, whole
from app.mapping.nodes import MISSING


def _on_text(function: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: function(liquid_text(value))


def _on_two(function: Callable[[str, str], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, other: function(liquid_text(value), liquid_text(other))


def _strip(sides: str) -> Callable[..., str]:
    """Return a filter that strips blanks, or the given characters, on the `sides`: "l", "r" or "lr"."""

    def strip(value: Any, characters: Any = MISSING) -> str:
        text, stripped = liquid_text(value), liquid_text(characters) or None
        text = text.lstrip(stripped) if "l" in sides else text
        return text.rstrip(stripped) if "r" in sides else text

    return strip


def replace(value: Any, pattern: Any, replacement: Any = "") -> str:
    """Replace every occurrence; an empty pattern matches between all characters. Raises TooLargeError."""
    parts = _split(liquid_text(value), liquid_text(pattern))
    new = liquid_text(replacement)
    if sum(map(len, parts)) + len(new) * len(parts) > MAX_SIZE:
        raise TooLargeError
    return new.join(parts)


def replace_first(value: Any, pattern: Any, replacement: Any = "") -> str:
    """Replace the first occurrence."""
    return liquid_text(value).replace(liquid_text(pattern), liquid_text(replacement), 1)


def replace_last(value: Any, pattern: Any, replacement: Any = "") -> str:
    """Replace the last occurrence."""
    text, old = liquid_text(value), liquid_text(pattern)
    before, found, after = text.rpartition(old) if old else (text, "", "")
    return before + liquid_text(replacement) + after if found or not old else text


def _split(text: str, by: str) -> list[str]:
    return text.split(by) if by else list(text)


def split(value: Any, by: Any) -> list[str]:
    """Split; empty texts at the end are removed."""
    parts = _split(liquid_text(value), liquid_text(by))
    while parts and parts[-1] == "":
        parts.pop()
    return parts


def truncate(value: Any, length: Any = 50, ellipsis: Any = "...") -> Any:
    """Cut a text to a length that includes the ellipsis."""
    text, end, most = liquid_text(value), liquid_text(ellipsis), whole(length, 50)
    return value if len(text) <= most else text[: max(most - len(end), 0)] + end


def truncatewords(value: Any, words: Any = 15, ellipsis: Any = "...") -> str:
    """Cut to a number of words. Like LiquidJS, adds the ellipsis to a text of exactly that length too."""
    found, most = re.split(r"\s+", liquid_text(value).lstrip()), max(whole(words, 15), 1)
    return " ".join(found[:most]) + (liquid_text(ellipsis) if len(found) >= most else "")


def number_of_words(text: str) -> int:
    """Count words between blanks."""
    return len(text.split())


_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}


def escape(text: str) -> str:
    """Escape for HTML."""
    return re.sub("[&<>\"']", lambda match: _ESCAPES[match[0]], text)


def unescape(text: str) -> str:
    """Undo `escape`."""
    back = {escaped: character for character, escaped in _ESCAPES.items()}
    return re.sub("&(?:amp|lt|gt|#34|#39);", lambda match: back[match[0]], text)


_BLOCKS: Final = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))


def strip_html(text: str) -> str:
    """Remove tags, comments, scripts and styles."""
    kept, position, unclosed = [], 0, set()
    while (opened := text.find("<", position)) >= 0:
        kept.append(text[position:opened])
        position = -1
        for start, end in _BLOCKS:
            if start in unclosed or not text.startswith(start, opened):
                continue
            closed = text.find(end, opened + len(start))
            if closed >= 0:
                position = closed + len(end)
                break
            unclosed.add(start)  # searched once, so that the cost stays linear
        if position < 0:
            return "".join(kept) + text[opened:]
    return "".join(kept) + text[position:]


_SLUG_KEEPS: Final = {"default": "", "latin": "", "pretty": "._~!$&'()+,;=@"}


def slugify(value: Any, mode: Any = "default", cased: Any = False) -> str:  # noqa: FBT002 - Liquid's argument
    """Join the words of a text with hyphens."""
    text, how = liquid_text(value), liquid_text(mode)
    if how == "latin":
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    if how == "raw":
        text = re.sub(r"\s+", "-", text)
    elif how == "ascii":
        text = re.sub(r"[^A-Za-z0-9]+", "-", text)
    elif how in _SLUG_KEEPS:
        kept = "".join(c if _is_word(c) or c in _SLUG_KEEPS[how] else " " for c in text)
        text = re.sub(" +", "-", kept)
    if how != "none":
        text = text.removeprefix("-").removesuffix("-")
    return text if cased is True else text.lower()


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd"


def base64_decode(text: str) -> Any:
    """Decode Base64; MISSING for other texts."""
    try:
        return base64.b64decode("".join(text.split()) + "=" * (-len(text) % 4)).decode(errors="replace")
    except (binascii.Error, ValueError):
        return MISSING


TEXT_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "append": _on_two(lambda text, other: text + other),
    "prepend": _on_two(lambda text, other: other + text),
    "upcase": _on_text(str.upper),
    "downcase": _on_text(str.lower),
    "capitalize": _on_text(lambda text: text[:1].upper() + text[1:].lower()),
    "strip": _strip("lr"),
    "lstrip": _strip("l"),
    "rstrip": _strip("r"),
    "strip_newlines": _on_text(lambda text: text.replace("\r\n", "").replace("\n", "")),
    "squish": _on_text(lambda text: " ".join(text.split())),
    "normalize_whitespace": _on_text(lambda text: re.sub(r"\s+", " ", text)),
    "number_of_words": _on_text(number_of_words),
    "remove": partial(replace, replacement=""),
    "remove_first": partial(replace_first, replacement=""),
    "remove_last": partial(replace_last, replacement=""),
    "replace": replace,
    "replace_first": replace_first,
    "replace_last": replace_last,
    "split": split,
    "truncate": truncate,
    "truncatewords": truncatewords,
    "escape": _on_text(escape),
    "xml_escape": _on_text(escape),
    "unescape": _on_text(unescape),
    "escape_once": _on_text(lambda text: escape(unescape(text))),
    "strip_html": _on_text(strip_html),
    "slugify": slugify,
    # Characters that JavaScript's encodeURIComponent and encodeURI do not encode.
    "url_encode": _on_text(lambda text: quote_plus(text, safe="!~*'()", errors="replace")),
    "url_decode": _on_text(unquote_plus),
    "cgi_escape": _on_text(lambda text: quote_plus(text, safe="~", errors="replace")),
    "uri_escape": _on_text(lambda text: quote(text, safe=";,/?:@&=+$-_.!~*'()#[]", errors="replace")),
    "base64_encode": _on_text(lambda text: base64.b64encode(text.encode(errors="replace")).decode()),
    "base64_decode": _on_text(base64_decode),
    "sha256": _on_text(lambda text: hashlib.sha256(text.encode(errors="replace")).hexdigest()),
    "hmac_sha256": _on_two(
        lambda text, key: hmac.new(key.encode(errors="replace"), text.encode(errors="replace"), "sha256").hexdigest()
    ),
}
