"""How the console says things: labels of closed lists, numbers, ages. Pure functions and tables."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from app.core.deliveries import State
from app.core.events import Event, Outcome
from app.core.fields import COMPONENT_FIELDS, MATCH_FIELDS, UNHASHED
from app.core.people import GROUPS
from app.core.values.amounts import WITHOUT_FRACTIONS
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.outbox import NO_COUNTRY, WITH_TAX
from app.outbox.pairing import PAGE_DIFFERS, PAGE_SENT_TOO
from app.pipeline.shop_clocks import CLOCK_AHEAD

STATE_LABELS: Mapping[State, str] = {
    State.PENDING: "waits to be sent",
    State.CLAIMED: "is being sent",
    State.DELIVERED: "Pinterest took it",
    State.DEAD: "given up",
    State.DISMISSED: "dismissed",
}

#: What a state or an outcome is called on a badge and above a column, where its own name is not plain.
PLAIN_WORDS: Mapping[str, str] = {
    State.PENDING: "waiting",
    State.CLAIMED: "being sent",
    State.DISMISSED: "dismissed",
    Outcome.ACCEPTED: "received",
    Outcome.REFUSED: "no event",
    Outcome.UNMATCHED: "matched no preset",
    Outcome.ENQUEUED: "to be sent",
    Outcome.RETRY: "tried again",
    Outcome.REJECTED: "refused by Pinterest",
}

#: What becomes of an event or its delivery, in words, as a choice to search by.
OUTCOME_LABELS: Mapping[Outcome, str] = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REFUSED: "refused: not a Segment event",
    Outcome.MATCHED: "matched by a preset",
    Outcome.UNMATCHED: "matched by no preset",
    Outcome.WITHHELD: "withheld",
    Outcome.ENQUEUED: "made a delivery",
    Outcome.MERGED: "merged with another event of its order",
    Outcome.DUPLICATE: "a duplicate",
    Outcome.INVALID: "invalid",
    Outcome.WITHDRAWN: "withdrawn: its order was cancelled, or another event of it is sent",
    Outcome.DELIVERED: "delivered",
    Outcome.RETRY: "tried again",
    Outcome.REJECTED: "refused by Pinterest",
    Outcome.BLOCKED: "blocked: no access to the ad account",
}

#: Pinterest's quality components by the names of its API (`conversion_eqs`), in words.
COMPONENT_LABELS: Mapping[str, str] = {name: field.key.label for name, field in COMPONENT_FIELDS.items()}
#: The other match keys that are counted, in words.
OTHER_KEY_LABELS: Mapping[str, str] = {
    name: field.key.label for name, field in MATCH_FIELDS.items() if name not in COMPONENT_FIELDS
}
#: The match key of each group of memory with a single field.
COMPONENT_OF_GROUP: Mapping[str, str] = {
    group: name
    for group, wires in GROUPS.items()
    for name, field in MATCH_FIELDS.items()
    if field.part == "user_data" and wires == (field.wire,)
}
#: Groups of memory, in words.
GROUP_LABELS: Mapping[str, str] = {
    group: MATCH_FIELDS[COMPONENT_OF_GROUP[group]].key.label if group in COMPONENT_OF_GROUP else group.capitalize()
    for group in GROUPS
}

#: Warnings that say how to be counted better, by their label; they are listed before others, however rare they are.
WARNING_ADVICE: Mapping[str, str] = {
    "checkout without value": "Pinterest cannot tell what these orders were worth: map custom_data.value.",
    "checkout without currency": "Pinterest takes the ad account's: map custom_data.currency"
    "[DEFAULT_CURRENCY| or set DEFAULT_CURRENCY].",
    "checkout without order_id": "An order that is sent twice cannot be known again: map custom_data.order_id.",
    "purchase from an app": "They are counted as web purchases"
    "[ACTION_SOURCE_BY_CONTEXT|: ACTION_SOURCE_BY_CONTEXT=true sends app_ios and app_android].",
    NO_COUNTRY: "Phone numbers without a country match no person: "
    "[DEFAULT_COUNTRY|set DEFAULT_COUNTRY, or ]send them as +49 30 901820.",
    WITH_TAX: "The tag adds tax or shipping to `value` or `revenue`, against the specifications of GA4 and Segment: "
    "send the goods alone. Until then both are subtracted, unless the file of the source has `amounts: as_sent`.",
    "LDP_STATES:": "Send the state of these people (traits.address.state): without it LDP is not set for them.",
    PAGE_DIFFERS: "Orders were sent twice, by the page and by the shop with another total: compare the two, and map "
    "`checkout_token` in both sources.",
    PAGE_SENT_TOO: "A page reported these orders before the shop created them, and both were sent. Someone may be "
    "sending false orders with the public key[UNCONFIRMED_ORDERS|: UNCONFIRMED_ORDERS=withhold sends none of them].",
    CLOCK_AHEAD: "Set the clock of the shop: until then reports in advance are not told apart from the buyer's.",
    "another order": "[ORDER_SCOPE|If several shops number their orders alone, set ORDER_SCOPE=source for "
    "their ad account.]",
}
#: Words of an advice that are said only while a setting is not set: `[SETTING|words]`.
_UNLESS_SET = re.compile(r"\[([A-Z_]+)\|([^\]]*)\]")

_ANSWERS = {
    "200": "processed",
    "400": "request refused",
    "401": "token refused",
    "403": "no access to the ad account",
    "404": "ad account not found",
    "422": "some events refused",
    "429": "too many calls",
}
_SERVER_ERROR = "5"

#: (seconds, one, many), largest first.
_UNITS = ((DAY_S, "day", "days"), (HOUR_S, "hour", "hours"), (MINUTE_S, "minute", "minutes"), (1, "second", "seconds"))


def applicable(advice: str, settings: Collection[str]) -> str:
    """Return an advice without what it says of `settings`, the names of those that are set already.

    >>> applicable("Send it[DEFAULT_COUNTRY|, or set DEFAULT_COUNTRY].", {"DEFAULT_COUNTRY"})
    'Send it.'
    """
    return _UNLESS_SET.sub(lambda found: "" if found[1] in settings else found[2], advice)


def warning_advice(label: str, settings: Collection[str] = ()) -> str:
    """Return what to do about a warning; "" where nothing is known, or it is done."""
    return applicable(WARNING_ADVICE.get(label, ""), settings)


def outcome_label(name: str) -> str:
    """Return what a state or an outcome is called."""
    return PLAIN_WORDS.get(name, name)


def component_label(name: str) -> str:
    """Return a match key in words; an unknown one as it is."""
    return MATCH_FIELDS[name].key.label if name in MATCH_FIELDS else name.replace("_", " ")


def answer_label(status: str) -> str:
    """Return what an HTTP status of Pinterest, or the lack of one, means."""
    if status.startswith(_SERVER_ERROR):
        return "trouble at Pinterest"
    return _ANSWERS.get(status, "unexpected" if status.isdigit() else "no answer")


def thousands(value: float) -> str:
    """Return a number with commas: 12,034."""
    return f"{value:,}"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount for reading: `1,234.50`, of yen `1,234`; nothing of it is rounded away."""
    places = 0 if currency in WITHOUT_FRACTIONS else 2
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:,.{max(places, -exponent if isinstance(exponent, int) else 0)}f}"


def worth(given: tuple[str | None, str | None]) -> str:
    """Return the amount and currency of an order for reading; "" where it names no amount.

    >>> worth(("1112.5", "EUR")), worth(("12", None)), worth((None, "EUR")), worth(("1e9", "EUR"))
    ('1,112.50 EUR', '12.00', '', '1e9 EUR')
    """
    amount, currency = given
    if not amount:
        return ""
    shown = money(Decimal(amount), currency or "") if amount.replace(".", "", 1).isdecimal() else amount
    return f"{shown} {currency}" if currency else shown


def percent(part: int, whole: int) -> str:
    """Return a share such as `33 %`, never rounded up to all or down to none; "" of nothing at all."""
    if not whole:
        return ""
    share = round(100 * part / whole)
    if part and not share:
        return "<1 %"
    return "99 %" if share == 100 and part < whole else f"{share} %"  # noqa: PLR2004 - a hundred per cent


def changed(now: Decimal | int, before: Decimal | int | None) -> str:
    """Return by how much a count or sum differs, such as `+12 %`; "" where there was nothing to compare with."""
    if not before:
        return ""
    share = round(100 * (now - before) / before)
    return "as before" if share == 0 else f"{share:+d} %".replace("-", "\u2212")


def time_span(seconds: float) -> str:
    """Return 5400 seconds as `1 hour`, 95 as `1 minute`: the largest unit, rounded down."""
    for size, one, many in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {one if count == 1 else many}"
    return "a moment"


def day(at: float) -> str:
    """Return the day of a moment (Unix seconds) in UTC: 2025-11-25."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def iso(at: float) -> str:
    """Return a moment (Unix seconds) as ISO 8601 in UTC: 2025-11-25T11:06:25Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: Of a longer text that is shortened the beginning and the end are shown.
_WHOLE, _BEGINNING, _END = 18, 8, 6


def middle(text: str) -> str:
    """Return a text, without its middle where it is long.

    >>> middle("SO-1001"), middle("549755885175-2026-11-25-abcdef01")
    ('SO-1001', '54975588…cdef01')
    """
    return text if len(text) <= _WHOLE else f"{text[:_BEGINNING]}…{text[-_END:]}"


def pretty(value: Any) -> str:
    """Return a value as JSON, indented for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def mapped_value(value: Any) -> str:
    """Return what a mapping says of a field, as written; a directive as its JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


#: Pinterest takes these two unhashed; they are personal all the same.
PLAIN = frozenset(UNHASHED)
MASK = "(masked)"


def masked(value: Any) -> Any:
    """Return the JSON value with IP address and user agent masked, wherever they stand."""
    if isinstance(value, Mapping):
        return {name: MASK if name in PLAIN and member else masked(member) for name, member in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


#: The event happened a minute ago.
AGE_S = 60


def with_fresh_timestamp(event: Event, now: float) -> Event:
    """Return the event with its `timestamp` a minute ago, put in where it has none; the rest stays."""
    return {**event, "timestamp": iso(now - AGE_S)}
