"""Personal data that hides in addresses, searches and answers is taken out of them."""

import re
from collections.abc import Callable, Collection, Iterable

from app.destination.conversion_rules import ConversionRules

_AT = r"(?:@|%(?:25)*40)"
#: It begins where a run of its characters begins, so that a long text is read once.
_EMAIL = re.compile(rf"(?<![\w.+%'-])[\w.+%'-]+{_AT}[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
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


class Redactor:
    """Takes e-mail addresses, phone numbers and the values of named parameters out of texts."""

    def __init__(self, parameters: Collection[str]) -> None:
        names = "|".join(re.escape(name) for name in sorted(parameters))
        self._parameters = re.compile(rf"(?i)([?&#;](?:{names})=)[^&#;\s]+") if names else None
        # `customer[email]` and `email[0]`, as PHP and Rails write objects and lists; asked only where a bracket stands.
        self._members = re.compile(
            rf"(?i)([?&#;](?:[^?&#;=\s]*{_OPEN})?(?:{names}){_SHUT}?(?:{_OPEN}\d*{_SHUT})?=)[^&#;\s]+"
        )

    def __call__(self, text: str, *, phones: Iterable[str] = (), mark: str = "") -> str:
        """Return the text with `mark` where personal data stood; `phones` are digits that are known to be one."""
        if "@" in text or ("40" in text and "%" in text):
            text = _EMAIL.sub(mark, _LOGIN.sub(mark and f"{mark}@", text))
        if "=" in text and self._parameters:
            if self._parameters.search(text):  # few addresses: looking is cheaper than replacing nothing
                text = self._parameters.sub(rf"\g<1>{mark}", text)
            if "[" in text or "%5" in text:
                text = self._members.sub(rf"\g<1>{mark}", text)
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
