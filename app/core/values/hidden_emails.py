"""Normalise texts as people read them, to find hidden numbers and addresses."""

import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Callable
from hashlib import sha256
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


#: A longer id is replaced with its digest.
MAX_ID_BYTES: Final = 256
#: Texts of this many characters cannot have more bytes.
_SHORT: Final = MAX_ID_BYTES // 4

#: ASCII characters as HTML, JSON and JavaScript's `escape` write them by their codes, also percent-encoded.
_AND = r"(?:&|%(?:25)*26)(?:amp(?:;|%(?:25)*3b))*"
_NUMBER_SIGN, _SEMICOLON = r"(?:#|%(?:25)*23)", r"(?:;|%(?:25)*3b)"
_ESCAPED_AT = re.compile(
    rf"u0040|\\x40|%(?:25)*5cx40|{_AND}(?:{_NUMBER_SIGN}(?:0*64(?!\d)|x0*40(?![\da-f]))|commat{_SEMICOLON})",
    re.IGNORECASE,
)
_ESCAPES = re.compile(
    r"(?:(?<!\\)\\+|%(?:25)*(?:5c)?)(?:u00|x)([2-7][\da-f])"
    rf"|{_AND}(?:{_NUMBER_SIGN}(?:x0*([2-7][\da-f])(?![\da-f])|0*(\d{{2,3}})(?!\d)){_SEMICOLON}?"
    rf"|(?:(commat)|period){_SEMICOLON})",
    re.IGNORECASE,
)

_AT = r"(?:@|%(?:25)*40)"
#: A letter, digit, hyphen or dot of a host, also percent-encoded.
_HOST = r"(?:[\w-]|%(?:25)*(?:2d|3\d|[46][1-9a-f]|[57][\da]))+"
_DOT = r"(?:\.|%(?:25)*2e)"
#: `localhost`, or an IP address in brackets.
_NO_DOMAIN = r"(?:localhost(?![\w.-])|(?:\[|%(?:25)*5b)(?:IPv6:)?[\da-f.:]{3,45}(?:\]|%(?:25)*5d))"
#: Possessive, and before an at-sign in a single lookahead: long runs of blanks are read once for all encodings of a
#: blank.
_BLANKS = r"(?:[\s+]|%(?:25)*(?:20|09)){1,3}+"
_TABS = r"(?:\t|%(?:25)*09){1,3}+"
#: Endings of domains, so that `ann @mail.com` is not read as a name in a social network, such as `by @jane.doe`.
_ENDINGS = r"(?:[a-z]{2}|com|net|org|info|biz|edu|gov)"
_SPACED = (
    rf"(?=(?:{_BLANKS})?+{_AT})"
    rf"(?:(?:(?:{_BLANKS})?+{_AT}{_BLANKS}|{_TABS}{_AT}){_HOST}(?:{_DOT}{_HOST})*{_DOT}[^\W\d_]{{2,}}"
    rf"|{_BLANKS}{_AT}{_HOST}(?:{_DOT}{_HOST})*{_DOT}{_ENDINGS})(?!\w)"
)
#: A quoted local part, also with escaped quotes. It ends at the next quote, so that a long text is read once.
_QUOTED = r"""(?:(?<!\\)"(?:[^"\\]|\\.){1,64}"|"[^"]{1,64}")"""
#: A local part begins at the start of a run of its characters, so that a long text is read once.
EMAIL = re.compile(
    rf"""(?:{_QUOTED}|(?<![\w.+%'-])[\w.+%'-]+)"""
    rf"(?:{_AT}(?:{_HOST}(?:{_DOT}{_HOST})+|{_NO_DOMAIN})|(?<=\w){_SPACED})",
    re.IGNORECASE,
)
#: An address in decoded base64 or hex; random data rarely matches.
_DECODED_EMAIL = re.compile(r"[\w.+%'-]@(?:[\w-]+\.)+[^\W\d_]{2}")
#: `{"` in base64 begins a JSON Web Token, which contains claims about a person.
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?", re.ASCII)
#: The `@` (0x40) in base64, at each of the three offsets within four characters. The pattern searches for the second of
#: two characters, which is rare.
_BASE64_AT = re.compile("[A-P](?:(?<=Q.)|(?<=[EUk0][A-D])|(?<=[BFJNRVZdhlptx159]A))")
#: Runs of the URL-safe alphabet that may contain an `@`, and of the standard alphabet; followed by padding.
_URL_BASE64 = re.compile(rf"(?<![\w-])(?=[\w-]*?(?:{_BASE64_AT.pattern}))[\w-]{{8,}}(?:=|%3D)*", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]|%2[BbFf]){8,}(?:=|%3D)*", re.ASCII)
_FOR_URLS = str.maketrans("-_", "+/")
_HEX = re.compile(r"[0-9a-f]{12,}", re.ASCII | re.IGNORECASE)


def holds_email(text: str) -> bool:
    """Return whether a text contains an e-mail address, plain or encoded, or a JSON Web Token.

    A token may contain an address.

    >>> holds_email("order-7 jane@shop.example"), holds_email("amFuZUBzaG9wLmV4YW1wbGU"), holds_email("SO-10@3")
    (True, True, False)
    """
    if is_without_at(text) and text == text.lower():
        return False  # nearly every id
    text = _readable(text)
    return bool(_may_hold_plain(text) and EMAIL.search(text)) or without_encoded(text) != text


def unpersonal_id(given: str) -> str:
    """Return an id in a form that may be stored: the SHA-256 in hex if it is long or contains an e-mail address.

    The digest is that of the trimmed id, so the same text always gives the same id. Other ids are unchanged.

    >>> unpersonal_id("SO-10021"), len(unpersonal_id("jane@shop.example-17")), len(unpersonal_id("7" * 257))
    ('SO-10021', 64, 64)
    """
    is_plain = len(given) <= _SHORT and is_without_at(given)
    if is_plain and (given == given.lower() or ("eyJ" not in given and _BASE64_AT.search(given) is None)):
        return given  # nearly every id
    is_kept = not is_long(given) and not holds_email(given)
    return given if is_kept else sha256(given.strip().encode("utf-8", "replace")).hexdigest()


def is_long(given: str) -> bool:
    """Return whether an id has more than 256 bytes in UTF-8.

    Segment's ids have under 100, and each id is stored many times.
    """
    return len(given) > _SHORT and len(given.encode("utf-8", "replace")) > MAX_ID_BYTES


def without_plain(text: str, mark: str = "") -> str:
    """Return the text with `mark` in place of each e-mail address, plain, percent-encoded or written by its codes.

    If an address had such codes, or characters of full width or of no width, the whole text is returned without them.
    """
    if is_without_at(text):
        return text
    plain = _readable(text)
    if plain != text and _may_hold_plain(plain) and EMAIL.search(plain):
        text = plain
    return EMAIL.sub(mark, text) if _may_hold_plain(text) else text


def without_encoded(text: str, mark: str = "") -> str:
    """Return the text with `mark` in place of base64 or hex with an e-mail address, and of a JSON Web Token."""
    if "eyJ" in text:
        text = _JWT.sub(mark, text)
    if text != text.lower() and _BASE64_AT.search(text):
        text = _URL_BASE64.sub(_unless_none(_in_base64, mark), text)
        values = text.partition("?")[2] if "://" in text else text  # the slashes of a path are no base64
        if "+" in values or "/" in values or "%2" in values:
            text = _BASE64.sub(_unless_none(_in_base64, mark), text)
    if "40" in text and ("2e" in text or "2E" in text):
        text = _HEX.sub(_unless_none(_in_hex, mark), text)
    return text


def is_without_at(text: str) -> bool:
    """Return whether a text has no at-sign, plain, percent-encoded or written by its code: nearly every text."""
    if "@" in text or "40" in text or not text.isascii():
        return False
    return "commat" not in text and ("64" not in text or ("&" not in text and "%" not in text))


def _readable(text: str) -> str:
    """Return a text in plain letters, with decoded characters if any of them is an at-sign."""
    text = plain_letters(text)
    is_escaped = ("&" in text or "%" in text or "\\" in text or "u0040" in text) and _ESCAPED_AT.search(text)
    return _ESCAPES.sub(_character, text) if is_escaped else text


def _character(code: re.Match[str]) -> str:
    if number := code[1] or code[2]:
        return chr(int(number, 16))
    return chr(int(code[3])) if code[3] else "@" if code[4] else "."


def _may_hold_plain(text: str) -> bool:
    return "@" in text or ("40" in text and "%" in text)


def _unless_none(holds: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    """Return a replacement for runs that contain an address."""
    return lambda run: mark if holds(run[0]) else run[0]


def _in_base64(run: str) -> bool:
    """Return whether a run decodes to a text with an address, at any offset of the encoded part."""
    letters = run.partition("=")[0]
    if "%" in letters:
        letters = _decoded_marks(letters)
    letters = letters.translate(_FOR_URLS)
    return any(_is_email(a2b_base64(part)) for part in map(_whole, (letters[start:] for start in range(4))))


def _decoded_marks(letters: str) -> str:
    """Decode the percent-encoded marks of base64."""
    for code, mark in (("%2B", "+"), ("%2b", "+"), ("%2F", "/"), ("%2f", "/")):
        letters = letters.replace(code, mark)
    return letters.partition("%")[0]


def _whole(letters: str) -> str:
    """Pad base64 to groups of four characters; drop a single trailing letter, which encodes no byte."""
    rest = len(letters) % 4
    return letters[:-1] if rest == 1 else letters + "=" * (-rest % 4)


def _in_hex(run: str) -> bool:
    return any(_is_email(bytes.fromhex(run[start : start + (len(run) - start) // 2 * 2])) for start in (0, 1))


def _is_email(decoded: bytes) -> bool:
    return b"@" in decoded and _DECODED_EMAIL.search(decoded.decode("utf-8", "replace")) is not None
