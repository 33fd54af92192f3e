"""Remove personal data from addresses, searches, free texts and responses."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from app.config.settings import ConversionSettings
from app.core.values.candidates import FieldPath
from app.core.values.hidden_emails import is_without_at, plain_letters, without_encoded, without_plain
from app.core.values.texts import written_texts
from app.destination.reading import NO_NOTES, Reader, Reading, TextReader, flattened, text_of
from app.destination.warnings import kind, left_out

#: Always removed: parameters with a person's name or a credential.
ALWAYS_REDACTED = frozenset({"name", "fullname", "first_name", "last_name", "access_token", "token"})
_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
#: The separators before a parameter and before its value; within a parameter, percent-encoded at least once.
_ENCODED = r"%(?:25)*"
_NAMED = re.compile(
    rf"(?:[?&#;]|(?<==)|{_ENCODED}(?:3F|26|23|3B))"
    rf"((?:(?!{_ENCODED}(?:3F|26|23|3B|3D))[^?&#;=\s]){{1,200}})(?:=|({_ENCODED}3D))",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^&#;\s]+")
_ENCODED_VALUE = re.compile(rf"(?:(?!{_ENCODED}(?:26|23|3B))[^&#;\s])+", re.IGNORECASE)
#: Rare in names of parameters, frequent in values.
_UNUSUAL = re.compile(r"[%.!+/\[]")
#: Parts of a name: `customer[email]` and `email[0]`, PHP's and Rails' notation of objects and lists, and
#: `customer.email`.
_PARTS = re.compile(r"[][.]+")
_MAX_ENCODED = 3
_DASHES = r"\u2010-\u2015\u2212"
_MARKS = rf"[\s().{_DASHES}-]*"
_BETWEEN = rf"{_MARKS}(?:%(?:2[089]|[Ee]2%80%9[0-5]){_MARKS})*"
_PHONES = re.compile(
    rf"(?<![\w+])(?:\+|%2B){_BETWEEN}(?:\d{_BETWEEN}){{7,14}}\d"  # international
    rf"|(?<!\d)(?<!\d[-.])\(?[2-9]\d{{2}}(?:\)\s?|[\s.{_DASHES}-]|%20)[2-9]\d{{2}}(?:[\s.{_DASHES}-]|%20)\d{{4}}"
    r"(?!\d|[-.]\d)"  # North America
    r"|(?<![\d.,/-])(?=(?:\d(?:\s|%20)?){9})0\d{1,4}(?:\s|%20)(?:\d(?:\s|%20)?){4,9}\d(?!\d)",  # national, in groups
    re.IGNORECASE,
)
#: Every match of `_PHONES` has a plus sign, or digits before a separator, which few addresses have. The patterns start
#: with the same set of characters, so that the search is fast.
_MAY_HOLD_PHONE = re.compile(rf"[+%\d](?:(?<=\+)|(?<=%)2[Bb]|(?<=\d)\d(?:[\s).{_DASHES}-]|%20))")
_MIN_PHONE_DIGITS = 7
#: Digits that may be a phone number, such as `030/901820`; in addresses, slashes also separate dates and counts.
_SLASH = re.compile(r"(/|%2F)", re.IGNORECASE)
_MARKS_OR_SLASH = _MARKS.replace("[", "[/")
_RUN = re.compile(
    r"[+%\d](?:(?<=\d)|(?<=\+)\d|(?<=%)2[Bb]\d)"
    rf"(?:{_MARKS_OR_SLASH}(?:%(?:2[089Ff]|[Ee]2%80%9[0-5]){_MARKS_OR_SLASH})*\d){{{_MIN_PHONE_DIGITS - 1},}}"
)
_NO_DIGITS = re.compile(r"%(?:2[089B]|E2%80%9[0-5])|\D", re.IGNORECASE)
#: The numbers of parts and slashes that are tried.
_PARTS_OF_NUMBER = (9, 7, 5, 3, 1)
#: Longer texts are not cached; the second value is the maximum size of the cache.
_MAX_REMEMBERED = 300
_MAX_HARMLESS = 8192


class Redactor:
    """Removes e-mail addresses, phone numbers and the values of parameters from texts."""

    def __init__(self, parameters: Collection[str]) -> None:
        """Remove the values of `parameters` too, in addition to names and credentials."""
        #: Texts without personal data of any person; texts with digits are in the second set, for people without a
        #: phone number.
        self.harmless: set[str] = set()
        self.harmless_alone: set[str] = set()
        self._names = ALWAYS_REDACTED | {name.lower() for name in parameters}
        names = "|".join(map(re.escape, sorted(self._names)))
        self._parameters = re.compile(rf"(?i)([?&#;](?:{names})=)[^&#;\s]+")

    def __call__(self, text: str, *, phones: Collection[str] = (), mark: str = "") -> str:
        """Return an address, search or response with `mark` in place of personal data, plain or encoded.

        `phones` are digits of a known phone number. Addresses repeat often, so texts without personal data are cached,
        up to a limit.
        """
        if self.is_harmless(text, phones):
            return text
        clean = self._redacted(text, phones, mark)
        if clean == text and len(text) <= _MAX_REMEMBERED:
            known = self.harmless if _RUN.search(text) is None else self.harmless_alone
            if len(known) >= _MAX_HARMLESS:
                known.clear()
            if known is self.harmless or not phones:
                known.add(text)
        return clean

    def is_harmless(self, text: str, phones: Collection[str]) -> bool:
        """Return whether a text is known to be without personal data of a person with these phone numbers."""
        return text in self.harmless or (not phones and text in self.harmless_alone)

    def _redacted(self, text: str, phones: Collection[str], mark: str) -> str:
        if "=" in text or "%" in text:
            if self._parameters.search(text):  # few addresses: a search is cheaper than a replacement without matches
                text = self._parameters.sub(rf"\g<1>{mark}", text)
            if _UNUSUAL.search(text, text.find("?") + 1):
                text = self._without_parameters(text, mark)
        if is_without_at(text) and text == text.lower():  # nearly every address
            return text if _MAY_HOLD_PHONE.search(text) is None and not phones else _without_phones(text, phones, mark)
        if "@" in text:
            text = _LOGIN.sub(mark and f"{mark}@", text)
        text = without_encoded(text, mark)
        return redacted_text(text, phones=phones, mark=mark)

    def _without_parameters(self, text: str, mark: str) -> str:
        """Return an address without the values of parameters in unusual notations."""
        kept, at = [], 0
        for found in _NAMED.finditer(text):
            start = found.end()
            if start >= at and self._is_personal(found[1]):
                value = (_ENCODED_VALUE if found[2] else _VALUE).match(text, start)
                if value:
                    kept += [text[at:start], mark]
                    at = value.end()
        return "".join([*kept, text[at:]]) if kept else text

    def _is_personal(self, name: str) -> bool:
        for _ in range(_MAX_ENCODED):
            name = unquote(name)
        parts = [part for part in _PARTS.split(name.lower().strip("!/+ \t\n")) if part and not part.isdigit()]
        return bool(parts) and parts[-1] in self._names


def redacted_text(text: str, *, phones: Collection[str] = (), mark: str = "") -> str:
    """Return a free text with `mark` in place of e-mail addresses and phone numbers; `phones` are known digits."""
    return _without_phones(without_plain(text, mark), phones, mark)


def _without_phones(text: str, phones: Collection[str], mark: str) -> str:
    if not text.isascii() and (plain := plain_letters(text)) != text:
        clean = _without_phones(plain, phones, mark)
        return text if clean == plain else clean
    if _MAY_HOLD_PHONE.search(text):
        text = _PHONES.sub(mark, text)
    for digits in phones:
        text = _RUN.sub(_unless_phone(digits, mark), text)
    return text


def _unless_phone(digits: str, mark: str) -> Callable[[re.Match[str]], str]:
    """Return a replacement for runs of digits that equal the phone number `digits`.

    The country code may be absent.
    """

    def is_phone(text: str) -> bool:
        found = _NO_DIGITS.sub("", text.replace("%2F", "/").replace("%2f", "/")).lstrip("0")
        return len(found) >= _MIN_PHONE_DIGITS and (digits.endswith(found) or found.endswith(digits))

    def replace(run: re.Match[str]) -> str:
        parts, kept, at = _SLASH.split(run[0]), [], 0
        while at < len(parts):
            size = next((size for size in _PARTS_OF_NUMBER if is_phone("".join(parts[at : at + size]))), 0)
            end = at + (size or 1)
            kept += [mark if size else parts[at], *parts[end : end + 1]]
            at = end + 1
        return "".join(kept)

    return replace


_by_default = Redactor(ConversionSettings.model_construct().redacted_parameters)


def redact(text: str) -> str:
    """Return a response or error in a form that may be stored, with `[redacted]` in place of possible personal data."""
    return _by_default(text, mark="[redacted]")


#: Shorter runs of digits are rarely phone numbers.
_MIN_PHONE_DIGITS = 7
_AS_MANY_DIGITS = re.compile(rf"\d(?:\D*\d){{{_MIN_PHONE_DIGITS - 1}}}")
_TAKEN_OUT = "personal data taken out"


#: Longer texts are not cached; the second value is the cache size of a reader.
_MAX_REMEMBERED_CHARACTERS = 100
_MAX_KNOWN = 8192


class FreeTextReader(TextReader):
    """Reads texts that people write, and removes e-mail addresses and phone numbers from them.

    A few texts repeat often (products, devices), so texts that are sent unchanged are cached, up to a limit:
    `MembersReader` accepts cached texts without a call.
    """

    def __init__(self, max_length: int = sys.maxsize, *, is_words: bool = True) -> None:
        """Read words; with `is_words` False read ids, in which digits are no phone numbers."""
        super().__init__(max_length)
        self.is_words = is_words
        self._clean: Callable[[str], str] = redacted_text if is_words else without_plain
        self.known: set[str] = set()

    def __call__(self, value: Any) -> Reading:
        """Read a value as a text, without personal data."""
        given, notes = self._text_of(value)
        if given is None:
            return None, notes
        clean = self._clean(given)
        if not clean.strip():
            return None, (f": {kind(value)} left out, it is personal data",)
        text, notes = self._cut(clean, value)
        if clean != given:
            return text, (*notes, ": personal data taken out")
        if type(value) is str and text == value and len(text) <= _MAX_REMEMBERED_CHARACTERS:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known.add(text)
        return text, notes


def product_id(max_length: int = sys.maxsize) -> FreeTextReader:
    """Return a reader for ids of products, brands and apps, in which digits are no phone numbers."""
    return FreeTextReader(max_length, is_words=False)


_TEXTS: Final = {str}


class ListReader:
    """Reads a list of texts; a single text is read as a list, null and empty items are omitted."""

    def __init__(self, item: FreeTextReader) -> None:
        self.item = item

    def __call__(self, value: Any) -> Reading:
        """Read each text with the reader of items."""
        read = self.item
        if type(value) is str and value in read.known:
            return [value], NO_NOTES
        if (
            type(value) is list and set(map(type, value)) == _TEXTS and read.known.issuperset(value)
        ):  # nearly every list
            return [*value], NO_NOTES
        kept: list[str] = []
        notes: list[str] = []
        for item in flattened(written_texts(value)):
            text, problems = read(item)
            notes += problems
            if text is not None:
                kept.append(text)
        return kept or None, tuple(notes) if kept or notes else (left_out(value, "nothing is in it"),)


read_free_text: Reader = FreeTextReader()


_CUSTOM_DATA: Final = ("custom_data",)


class PersonalData:
    """Removes personal data from finished events, under a set of rules."""

    def __init__(self, rules: ConversionSettings, fields: Iterable[tuple[FieldPath, Reader]]) -> None:
        """Store the rules, and all fields by path: their readers show which may contain a person's words."""
        self._redact = Redactor(rules.redacted_parameters)
        #: Names of the texts without a cleaning reader, and of words with such a reader, by the path of their objects.
        self._unread: dict[FieldPath, list[str]] = {}
        self._words: dict[FieldPath, set[str]] = {}
        for (*at, name), read in fields:
            read_text = read.item if isinstance(read, ListReader) else read
            if isinstance(read_text, FreeTextReader):
                if read_text.is_words:
                    self._words.setdefault(tuple(at), set()).add(name)
            elif isinstance(read_text, TextReader):
                self._unread.setdefault(tuple(at), []).append(name)
        self._unread_of_event = self._unread.pop((), [])

    def take_out(self, event: dict[str, Any], custom_data: dict[str, Any], phone: Any) -> list[str]:
        """Clean an event in place, with its `custom_data`; return the warnings.

        `phone`: the person's numbers as given, which are also recognised without a country code.
        """
        phones = _digits_of(phone) if phone else ()
        harmless = self._redact.harmless
        warnings = [
            f"{name}: {_TAKEN_OUT}"
            for name in self._unread_of_event
            if name in event and event[name] not in harmless and self._clean(event, name, phones)
        ]
        for at, names in self._unread.items():
            if at == _CUSTOM_DATA and custom_data.keys().isdisjoint(names):
                continue
            for place, holder in _holders(event, custom_data, at):
                cleaned = [name for name in names if name in holder and self._clean(holder, name, phones)]
                warnings += [f"{place}{name}: {_TAKEN_OUT}" for name in cleaned]
        if phones:
            warnings += self._without_known_phones(event, custom_data, phones)
        return warnings

    def _without_known_phones(
        self, event: dict[str, Any], custom_data: dict[str, Any], phones: Collection[str]
    ) -> Iterator[str]:
        """Remove the person's phone numbers in any notation from words; yield the warnings."""
        for at, names in self._words.items():
            for place, holder in _holders(event, custom_data, at):
                for name in [name for name in holder if name in names and _may_hold_phone(holder[name])]:
                    if self._clean(holder, name, phones):
                        yield f"{place}{name}: {_TAKEN_OUT}"

    def _clean(self, holder: dict[str, Any], name: str, phones: Collection[str]) -> bool:
        """Clean a text or a list of texts in place, and remove empty ones; return whether anything changed."""
        given = holder[name]
        if type(given) is list:
            texts = [self._redact(text, phones=phones) for text in given]
            kept: str | list[str] = [text for text in texts if text.strip()]
            is_clean = texts == given
        else:
            text = self._redact(given, phones=phones)
            kept, is_clean = text if text.strip() else "", text == given
        if is_clean:
            return False
        if kept:
            holder[name] = kept
        else:
            del holder[name]
        return True


def _holders(event: dict[str, Any], custom_data: dict[str, Any], at: FieldPath) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects at a path (several for a list), with the prefix of their members' names."""
    if not at:
        return [("", event)]
    first, *inner = at
    found = custom_data if first == "custom_data" else event.get(first)
    holders = [(f"{first}.", found)] if found else []
    for name in inner:
        holders = [each for place, holder in holders for each in _within(f"{place}{name}", holder.get(name, []))]
    return holders


def _within(place: str, found: dict[str, Any] | list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(found, list):
        return [(f"{place}[{number}].", each) for number, each in enumerate(found)]
    return [(f"{place}.", found)]


def _may_hold_phone(value: str | list[str]) -> bool:
    if isinstance(value, str):
        return _AS_MANY_DIGITS.search(value) is not None
    return any(map(_AS_MANY_DIGITS.search, value))


def _digits_of(phone: Any) -> list[str]:
    """Return the digits of the event's phone numbers, to find them in other fields."""
    texts = (plain_letters(text_of(item) or "") for item in flattened(phone))
    numbers = ("".join(filter(str.isdecimal, text)).lstrip("0") for text in texts)
    return [digits for digits in numbers if len(digits) >= _MIN_PHONE_DIGITS]
