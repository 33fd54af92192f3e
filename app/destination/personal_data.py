"""Personal data that hides in a finished event: taken out of its address and search, and of its texts."""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from app.core.values.hidden_emails import plain_letters
from app.destination.conversion_rules import ConversionRules
from app.destination.reading import flattened, text_of
from app.destination.redaction import Redactor

#: The members in which somebody's words stand: what readers of free texts read, but ids, in which digits are no phones.
FREE_TEXTS: Final = frozenset(
    {
        *("app_name", "app_version", "app_id", "app_package_name", "app_store", "user_agent", "partner_name"),
        *("device_brand", "device_carrier", "device_model", "device_type", "brand", "carrier", "model", "type"),
        *("os_version", "os_name", "os_release_name", "kernel_version", "locale", "timezone", "timezone_abbr"),
        *("content_name", "content_category", "content_brand", "item_name", "item_category", "item_brand"),
    }
)
#: Shorter runs of digits are anything.
_MIN_PHONE_DIGITS = 7
_AS_MANY_DIGITS = re.compile(rf"\d(?:\D*\d){{{_MIN_PHONE_DIGITS - 1}}}")
_TAKEN_OUT = "personal data taken out"


class PersonalData:
    """Takes personal data out of one finished event after the other, under one set of rules."""

    def __init__(self, rules: ConversionRules) -> None:
        self._redact = Redactor(rules.redacted_parameters)

    def take_out(self, event: dict[str, Any], custom_data: dict[str, Any], phone: Any) -> list[str]:
        """Clean an event in place, whose `custom_data` is given beside it; return the warnings.

        `phone`: the numbers of the person as they were given, which are known again without a country code.
        """
        phones = _digits_of(phone) if phone else ()
        warnings = []
        page = event.get("event_source_url")
        if page is not None and page not in self._redact.harmless and self._clean(event, "event_source_url", phones):
            warnings.append(f"event_source_url: {_TAKEN_OUT}")
        if "search_string" in custom_data and self._clean(custom_data, "search_string", phones):
            warnings.append(f"custom_data.search_string: {_TAKEN_OUT}")
        if phones:
            warnings += self._without_known_phones(event, custom_data, phones)
        return warnings

    def _without_known_phones(
        self, event: dict[str, Any], custom_data: dict[str, Any], phones: Collection[str]
    ) -> Iterator[str]:
        """Take the person's own numbers out of free texts, in which they may stand in any form; yield the warnings."""
        for place, holder in _holders(event, custom_data):
            for name in [name for name in holder if name in FREE_TEXTS and _may_hold_phone(holder[name])]:
                if self._clean(holder, name, phones):
                    yield f"{place}{name}: {_TAKEN_OUT}"

    def _clean(self, holder: dict[str, Any], name: str, phones: Collection[str]) -> bool:
        """Clean one text in place, out with it where nothing is left; return whether there was anything to take out."""
        given: str = holder[name]
        clean = self._redact(given, phones=phones)
        if clean is given:
            return False
        if clean.strip():
            holder[name] = clean
        else:
            del holder[name]
        return clean != given


def _holders(event: dict[str, Any], custom_data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects that hold free texts, each with what stands before its members' names."""
    yield "", event
    yield "custom_data.", custom_data
    for name in ("app_info", "device_info"):
        if name in event:
            yield f"{name}.", event[name]
    for number, content in enumerate(custom_data.get("contents", ())):
        yield f"custom_data.contents[{number}].", content


def _may_hold_phone(text: Any) -> bool:
    return isinstance(text, str) and _AS_MANY_DIGITS.search(text) is not None


def _digits_of(phone: Any) -> list[str]:
    """Return the digits of the event's phone numbers, to find them elsewhere."""
    texts = (plain_letters(text_of(item) or "") for item in flattened(phone))
    numbers = ("".join(filter(str.isdecimal, text)).lstrip("0") for text in texts)
    return [digits for digits in numbers if len(digits) >= _MIN_PHONE_DIGITS]
