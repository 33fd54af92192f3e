"""Personal data that hides in addresses, searches, free texts and answers is taken out of them."""

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

#: Whatever the operator names: values of these parameters say who a person is, or let anybody in.
ALWAYS_REDACTED = frozenset({"name", "fullname", "first_name", "last_name", "access_token", "token"})
_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
#: What stands before a parameter, and between its name and its value; within a parameter, encoded once or more often.
_ENCODED = r"%(?:25)*"
_NAMED = re.compile(
    rf"(?:[?&#;]|(?<==)|{_ENCODED}(?:3F|26|23|3B))"
    rf"((?:(?!{_ENCODED}(?:3F|26|23|3B|3D))[^?&#;=\s]){{1,200}})(?:=|({_ENCODED}3D))",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^&#;\s]+")
_ENCODED_VALUE = re.compile(rf"(?:(?!{_ENCODED}(?:26|23|3B))[^&#;\s])+", re.IGNORECASE)
#: In nearly no name of a parameter, but in many values.
_UNUSUAL = re.compile(r"[%.!+/\[]")
#: Parts of a name: `customer[email]` and `email[0]`, as PHP and Rails write objects and lists, `customer.email`.
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
#: Every number that `_PHONES` finds has a plus sign, or digits before a mark that parts them; few addresses have.
#: All begin with one set of characters: texts are passed over quickly up to the first of them.
_MAY_HOLD_PHONE = re.compile(rf"[+%\d](?:(?<=\+)|(?<=%)2[Bb]|(?<=\d)\d(?:[\s).{_DASHES}-]|%20))")
_MIN_PHONE_DIGITS = 7
#: Digits that may be somebody's number, `030/901820` too; in addresses, dates and counts stand between slashes as well.
_SLASH = re.compile(r"(/|%2F)", re.IGNORECASE)
_MARKS_OR_SLASH = _MARKS.replace("[", "[/")
_RUN = re.compile(
    r"[+%\d](?:(?<=\d)|(?<=\+)\d|(?<=%)2[Bb]\d)"
    rf"(?:{_MARKS_OR_SLASH}(?:%(?:2[089Ff]|[Ee]2%80%9[0-5]){_MARKS_OR_SLASH})*\d){{{_MIN_PHONE_DIGITS - 1},}}"
)
_NO_DIGITS = re.compile(r"%(?:2[089B]|E2%80%9[0-5])|\D", re.IGNORECASE)
#: Parts of a number between slashes, and the slashes.
_PARTS_OF_NUMBER = (9, 7, 5, 3, 1)
#: Longer texts are not remembered, nor more than so many.
_MAX_REMEMBERED = 300
_MAX_HARMLESS = 8192


class Redactor:
    """Takes e-mail addresses, phone numbers and the values of parameters out of texts."""

    def __init__(self, parameters: Collection[str]) -> None:
        """Take out the values of `parameters` too, beside those that name a person or let anybody in."""
        #: Addresses that are known to hold nothing, whoever it is about; with digits, of people without a phone.
        self.harmless: set[str] = set()
        self.harmless_alone: set[str] = set()
        self._names = ALWAYS_REDACTED | {name.lower() for name in parameters}
        names = "|".join(map(re.escape, sorted(self._names)))
        self._parameters = re.compile(rf"(?i)([?&#;](?:{names})=)[^&#;\s]+")

    def __call__(self, text: str, *, phones: Collection[str] = (), mark: str = "") -> str:
        """Return an address, search or answer with `mark` where personal data stood, also where it was encoded.

        `phones` are digits that are known to be a phone number. The same addresses come again and again, so those that
        hold nothing personal are remembered, up to a bound.
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
        """Return whether a text is known to hold nothing of a person with these phone numbers."""
        return text in self.harmless or (not phones and text in self.harmless_alone)

    def _redacted(self, text: str, phones: Collection[str], mark: str) -> str:
        if "=" in text or "%" in text:
            if self._parameters.search(text):  # few addresses: looking is cheaper than replacing nothing
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
        """Return an address without the values of parameters that are written in an unusual way."""
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
    """Return a free text with `mark` where e-mail addresses and phone numbers stood; `phones` are known digits."""
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
    """Make a replacement for runs of digits that are the phone number `digits`, with or without its country code."""

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
    """Return an answer or error as it may be stored: `[redacted]` stands for what could be personal."""
    return _by_default(text, mark="[redacted]")


#: Shorter runs of digits are anything.
_MIN_PHONE_DIGITS = 7
_AS_MANY_DIGITS = re.compile(rf"\d(?:\D*\d){{{_MIN_PHONE_DIGITS - 1}}}")
_TAKEN_OUT = "personal data taken out"


#: Longer texts are not remembered, nor more than so many by one reader.
_MAX_REMEMBERED_CHARACTERS = 100
_MAX_KNOWN = 8192


class FreeTextReader(TextReader):
    """Reads texts that somebody wrote: e-mail addresses and phone numbers in them are taken out.

    The same few texts come again and again (products, devices), so what is sent as it came is remembered, up to a
    bound: `MembersReader` takes such texts without asking.
    """

    def __init__(self, max_length: int = sys.maxsize, *, is_words: bool = True) -> None:
        """Read words, or with `is_words` False ids, in which digits are no phone number."""
        super().__init__(max_length)
        self.is_words = is_words
        self._clean: Callable[[str], str] = redacted_text if is_words else without_plain
        self.known: set[str] = set()

    def __call__(self, value: Any) -> Reading:
        """Read one value as a text, without personal data."""
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
    """Make a reader of ids of products, brands and apps, in which digits are no phone numbers."""
    return FreeTextReader(max_length, is_words=False)


_TEXTS: Final = {str}


class ListReader:
    """Reads a list of texts; a single one is a list of one, null and empty items are nothing."""

    def __init__(self, item: FreeTextReader) -> None:
        self.item = item

    def __call__(self, value: Any) -> Reading:
        """Read each text by the reader of one."""
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
    """Takes personal data out of one finished event after the other, under one set of rules."""

    def __init__(self, rules: ConversionSettings, fields: Iterable[tuple[FieldPath, Reader]]) -> None:
        """Take the rules, and every field of an event by its path: readers say where somebody's words may be."""
        self._redact = Redactor(rules.redacted_parameters)
        #: The names of the texts that no reader has cleaned, and of the words that one has, by the objects they are in.
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
        """Clean an event in place, whose `custom_data` is given beside it; return the warnings.

        `phone`: the numbers of the person as they were given, which are known again without a country code.
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
        """Take the person's own numbers out of words, in which they may stand in any form; yield the warnings."""
        for at, names in self._words.items():
            for place, holder in _holders(event, custom_data, at):
                for name in [name for name in holder if name in names and _may_hold_phone(holder[name])]:
                    if self._clean(holder, name, phones):
                        yield f"{place}{name}: {_TAKEN_OUT}"

    def _clean(self, holder: dict[str, Any], name: str, phones: Collection[str]) -> bool:
        """Clean a text or a list of them in place, out with what is empty then; return whether there was anything."""
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
    """Return the objects at a path, of a list each, with what stands before their members' names."""
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
    """Return the digits of the event's phone numbers, to find them elsewhere."""
    texts = (plain_letters(text_of(item) or "") for item in flattened(phone))
    numbers = ("".join(filter(str.isdecimal, text)).lstrip("0") for text in texts)
    return [digits for digits in numbers if len(digits) >= _MIN_PHONE_DIGITS]
