"""Personal data that hides in addresses, searches, free texts and answers is taken out of them."""

import re
from collections.abc import Callable, Collection

from app.destination.conversion_rules import ConversionRules
from app.values.hidden_emails import without_encoded, without_plain

#: Whatever the operator names: values of these parameters say who a person is, or let anybody in.
ALWAYS_REDACTED = frozenset({"name", "fullname", "first_name", "last_name", "access_token", "token"})
_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
_OPEN, _SHUT = r"(?:\[|%5B)", r"(?:\]|%5D)"
_BETWEEN = r"(?:[\s().-]|%20|%28|%29)*"
_PHONES = re.compile(
    rf"(?<![\w+])(?:\+|%2B){_BETWEEN}(?:\d{_BETWEEN}){{7,14}}\d"  # international
    r"|(?<!\d)(?<!\d[-.])\(?[2-9]\d{2}(?:\)\s?|[\s.-]|%20)[2-9]\d{2}(?:[\s.-]|%20)\d{4}(?!\d|[-.]\d)"  # North America
    r"|(?<![\d.,/-])(?=(?:\d(?:\s|%20)?){9})0\d{1,4}(?:\s|%20)(?:\d(?:\s|%20)?){4,9}\d(?!\d)",  # national, in groups
    re.IGNORECASE,
)
#: Every number that `_PHONES` finds has a plus sign, or digits before a mark that parts them; few addresses have.
#: All begin with one set of characters: texts are passed over quickly up to the first of them.
_MAY_HOLD_PHONE = re.compile(r"[+%\d](?:(?<=\+)|(?<=%)2[Bb]|(?<=\d)\d(?:[\s).-]|%20))")
_RUN = re.compile(rf"\d(?:{_BETWEEN}\d){{6,}}")
_MIN_PHONE_DIGITS = 7
#: Longer texts are not remembered, nor more than so many.
_MAX_REMEMBERED = 300
_MAX_HARMLESS = 8192


class Redactor:
    """Takes e-mail addresses, phone numbers and the values of parameters out of texts."""

    def __init__(self, parameters: Collection[str]) -> None:
        """Take out the values of `parameters` too, beside those that name a person or let anybody in."""
        #: Addresses that are known to hold nothing, whoever it is about.
        self.harmless: set[str] = set()
        names = "|".join(re.escape(name) for name in sorted(ALWAYS_REDACTED | {name.lower() for name in parameters}))
        self._parameters = re.compile(rf"(?i)([?&#;](?:{names})=)[^&#;\s]+")
        # `customer[email]` and `email[0]`, as PHP and Rails write objects and lists; asked only where a bracket stands.
        self._members = re.compile(
            rf"(?i)([?&#;](?:[^?&#;=\s]*{_OPEN})?(?:{names}){_SHUT}?(?:{_OPEN}\d*{_SHUT})?=)[^&#;\s]+"
        )

    def __call__(self, text: str, *, phones: Collection[str] = (), mark: str = "") -> str:
        """Return an address, search or answer with `mark` where personal data stood, also where it was encoded.

        `phones` are digits that are known to be a phone number. The same addresses come again and again, so those that
        hold nothing personal, and no digits that could be a phone number, are remembered, up to a bound.
        """
        if text in self.harmless:
            return text
        clean = self._redacted(text, phones, mark)
        if clean == text and len(text) <= _MAX_REMEMBERED and _RUN.search(text) is None:
            if len(self.harmless) >= _MAX_HARMLESS:
                self.harmless.clear()
            self.harmless.add(text)
        return clean

    def _redacted(self, text: str, phones: Collection[str], mark: str) -> str:
        if "=" in text:
            if self._parameters.search(text):  # few addresses: looking is cheaper than replacing nothing
                text = self._parameters.sub(rf"\g<1>{mark}", text)
            if "[" in text or "%5" in text:
                text = self._members.sub(rf"\g<1>{mark}", text)
        if "@" not in text and "40" not in text and text == text.lower():  # nearly every address
            return text if _MAY_HOLD_PHONE.search(text) is None and not phones else _without_phones(text, phones, mark)
        if "@" in text:
            text = _LOGIN.sub(mark and f"{mark}@", text)
        text = without_encoded(text, mark)
        return redacted_text(text, phones=phones, mark=mark)


def redacted_text(text: str, *, phones: Collection[str] = (), mark: str = "") -> str:
    """Return a free text with `mark` where e-mail addresses and phone numbers stood; `phones` are known digits."""
    return _without_phones(without_plain(text, mark), phones, mark)


def _without_phones(text: str, phones: Collection[str], mark: str) -> str:
    if _MAY_HOLD_PHONE.search(text):
        text = _PHONES.sub(mark, text)
    for digits in phones:
        text = _RUN.sub(_unless_phone(digits, mark), text)
    return text


def _unless_phone(digits: str, mark: str) -> Callable[[re.Match[str]], str]:
    """Make a replacement for runs of digits that are the phone number `digits`, with or without its country code."""

    def replace(run: re.Match[str]) -> str:
        found = re.sub(r"%2[089]|\D", "", run[0]).lstrip("0")
        same = len(found) >= _MIN_PHONE_DIGITS and (digits.endswith(found) or found.endswith(digits))
        return mark if same else run[0]

    return replace


_by_default = Redactor(ConversionRules().redacted_parameters)


def redact(text: str) -> str:
    """Return an answer or error as it may be stored: `[redacted]` stands for what could be personal."""
    return _by_default(text, mark="[redacted]")
