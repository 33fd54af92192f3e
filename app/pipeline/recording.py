"""Create a test from a received event, with invented data of the same form in place of possible personal data."""

import re
import string
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import orjson

from app.catalog import Catalog
from app.core.events import Event
from app.core.values.addresses import is_server_library
from app.pipeline.explain import EventReport, Explainer, PresetReport, wire_path

#: Texts at these places, and below those of a device, do not identify a person.
_KEPT: Final = re.compile(
    r"type|event|name|channel|version|context\.(?:channel|locale|timezone|(?:device|os|app|library|screen|network)\..*)"
    r"|.*\b(?:currency|country|country_code|state|region|gender|category|brand|variant|payment_method|unit)"
)
_AMOUNT: Final = re.compile(
    r"(?:.*[._])?(?:value|price|total|subtotal|revenue|tax|shipping|discount|amount|quantity)", re.IGNORECASE
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CODE: Final = re.compile(r"[A-Z]{2,3}")
_IPV4: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IPV6: Final = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]{3,45}")
_LINK: Final = re.compile(r"(?P<scheme>\w+://)[^/?#]+(?P<rest>.*)")
#: Members that the endpoint adds.
_OF_ARRIVAL: Final = frozenset({"idIsMade", "arrivedAt", "receivedAt"})
_DIGEST: Final = re.compile(r"[0-9a-f]{32,64}", re.IGNORECASE)
#: Words of privacy flags.
_FLAGS: Final = frozenset({"true", "false", "yes", "no", "y", "n", "0", "1", "granted", "denied"})
#: Larger numbers may be personal data.
_SMALL: Final = 9_999
#: The names of parameters stay, their values do not.
_PARTS: Final = re.compile(r"([?&#;][\w.-]+=|[/?&#;])")
_TEXTS_OF_TRIGGERS: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_BROWSERS: Final = {
    "iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Android": "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
}


class MadeUp:
    """Replaces possible personal data: equal values of an event stay equal."""

    def __init__(self, catalog: Catalog, rng: Random) -> None:
        """Use a source of randomness, and the catalog: texts in its triggers stay."""
        self._rng = rng
        triggers = (preset.trigger.text for preset in catalog.presets)
        asked = (found for text in triggers for pair in _TEXTS_OF_TRIGGERS.findall(text) for found in pair)
        self._asked = _FLAGS.union(asked)
        self._known: dict[str, str] = {}

    def __call__(self, value: Any, path: str = "") -> Any:
        """Return an event, or a value at this dotted path, with invented data."""
        if isinstance(value, dict):
            return {name: self(inner, f"{path}.{name}" if path else name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self(inner, path) for inner in value]
        if _AMOUNT.fullmatch(path) or _KEPT.fullmatch(path):
            return value
        if type(value) is int:
            return value if abs(value) <= _SMALL or _is_time(value) else int(self._made(str(value)))
        if not isinstance(value, str) or value in self._asked or _TIME.fullmatch(value) or _CODE.fullmatch(value):
            return value
        return self._known.setdefault(value, self._text(value))

    def _text(self, text: str) -> str:
        """Return a text of the same form: an address stays an address, and so do a date, a link and a browser."""
        browser = next((known for system, known in _BROWSERS.items() if system in text), None)
        local, sign, _ = text.rpartition("@")
        if browser is not None and text.startswith("Mozilla/"):
            made = browser
        elif is_server_library(text):
            made = text
        elif _DATE.fullmatch(text):
            made = f"19{self._rng.randint(60, 99)}-0{self._rng.randint(1, 9)}-1{self._rng.randint(0, 9)}"
        elif _DIGEST.fullmatch(text):
            made = "".join(self._rng.choice("0123456789abcdef") for _ in text)
        elif _IPV4.fullmatch(text):
            made = f"203.0.113.{self._rng.randint(1, 254)}"
        elif _IPV6.fullmatch(text):
            made = f"2001:db8::{self._rng.randint(1, 9_999)}"
        elif link := _LINK.fullmatch(text):
            rest = "".join(part if _PARTS.fullmatch(part) else self._made(part) for part in _PARTS.split(link["rest"]))
            made = f"{link['scheme']}shop.example{rest}"
        elif sign:
            made = f"{self._made(local)}@example.com"
        else:  # the country code of a phone number stays
            kept = text[:3] if text.startswith("+") else ""
            made = kept + self._made(text[len(kept) :])
        return made

    def _made(self, text: str) -> str:
        kept = "dj0" if text.startswith("dj0") else ""  # a click id of Pinterest stays a click id
        return kept + "".join(map(self._letter, text[len(kept) :]))

    def _letter(self, letter: str) -> str:
        if letter.isdigit():
            return self._rng.choice("23456789")
        if letter.isalpha():
            return self._rng.choice(string.ascii_uppercase if letter.isupper() else string.ascii_lowercase)
        return letter


def _is_time(value: int) -> bool:
    """Return whether a number may be Unix seconds or milliseconds of these years."""
    return 1_500_000_000 <= value <= 2_500_000_000 or 1_500_000_000_000 <= value <= 2_500_000_000_000  # noqa: PLR2004


async def recorded(
    event: Event, explainer: Explainer, catalog: Catalog, rng: Random, *, now: float, source: str, is_trusted: bool
) -> tuple[dict[str, dict[str, Any]], bool]:
    """Return a test for each preset that matches an event, by the preset's file, of the event with invented data.

    The second value is whether the invented event has the same outcomes and fields as the original.
    """
    made = MadeUp(catalog, rng)(event)
    was, becomes = [
        [
            report
            for report in (await _report(explainer, each, catalog, now, source)).presets
            if report.matched and report.enabled
        ]
        for each in (event, made)
    ]
    files = {preset.name: preset.file for preset in catalog.presets}
    tests: dict[str, dict[str, Any]] = {
        files[report.preset]: {
            "name": f"Recorded: {made.get('event') or made['type']}",
            "event": {key: value for key, value in made.items() if key not in _OF_ARRIVAL},
            **({"source": source} if source != "default" else {}),
            **({} if is_trusted else {"trust": "public"}),
            "now": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "expect": _expected(report),
        }
        for report in becomes
    }
    return tests, [*map(_way, was)] == [*map(_way, becomes)]


async def _report(explainer: Explainer, event: Event, catalog: Catalog, now: float, source: str) -> EventReport:
    return await explainer.explain(orjson.loads(orjson.dumps(event)), catalog, now=now, source=source)


def _way(report: PresetReport) -> tuple[str, str, list[str]]:
    return report.preset, report.outcome.value, [field.field for field in report.fields if field.sent is not None]


def _expected(report: PresetReport) -> dict[str, Any]:
    """Return the result of a preset as the expectation of a test."""
    sent = {
        wire_path(field.field): _value(field.normalised, field.sent)
        for field in report.fields
        if field.sent is not None
    }
    if report.payload is None:
        return {"outcome": report.outcome.value}
    return {"events": 1, "warnings": list(report.warnings), "fields": sent}


def _value(normalised: str, sent: str | None) -> Any:
    return {"digest": normalised} if normalised and ", " not in normalised else orjson.loads(sent or "null")
