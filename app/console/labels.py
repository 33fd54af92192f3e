"""Labels, numbers and ages for the console. Pure functions and tables."""

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

#: Labels of states and outcomes on badges and columns, if their own name is unclear.
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

#: Labels of outcomes as options of the search.
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

#: Labels of Pinterest's quality components, by their names in the API (`conversion_eqs`).
COMPONENT_LABELS: Mapping[str, str] = {name: field.key.label for name, field in COMPONENT_FIELDS.items()}
#: Labels of the other counted match keys.
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
#: Labels of groups of memory.
GROUP_LABELS: Mapping[str, str] = {
    group: MATCH_FIELDS[COMPONENT_OF_GROUP[group]].key.label if group in COMPONENT_OF_GROUP else group.capitalize()
    for group in GROUPS
}

#: Warnings with advice to improve matching, by their label; they are listed before others, even if they are rare.
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
#: Parts of an advice that only apply while a setting is not set: `[SETTING|words]`.
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

#: (seconds, singular, plural), largest first.
_UNITS = ((DAY_S, "day", "days"), (HOUR_S, "hour", "hours"), (MINUTE_S, "minute", "minutes"), (1, "second", "seconds"))


def applicable(advice: str, settings: Collection[str]) -> str:
    """Return an advice without the parts about `settings`, the names of those that are already set.

    >>> applicable("Send it[DEFAULT_COUNTRY|, or set DEFAULT_COUNTRY].", {"DEFAULT_COUNTRY"})
    'Send it.'
    """
    return _UNLESS_SET.sub(lambda found: "" if found[1] in settings else found[2], advice)


def warning_advice(label: str, settings: Collection[str] = ()) -> str:
    """Return the advice for a warning; "" if there is none, or it is already followed."""
    return applicable(WARNING_ADVICE.get(label, ""), settings)


def outcome_label(name: str) -> str:
    """Return the label of a state or an outcome."""
    return PLAIN_WORDS.get(name, name)


def component_label(name: str) -> str:
    """Return the label of a match key; an unknown key unchanged."""
    return MATCH_FIELDS[name].key.label if name in MATCH_FIELDS else name.replace("_", " ")


def answer_label(status: str) -> str:
    """Return the meaning of an HTTP status of Pinterest, or of a missing response."""
    if status.startswith(_SERVER_ERROR):
        return "trouble at Pinterest"
    return _ANSWERS.get(status, "unexpected" if status.isdigit() else "no answer")


def thousands(value: float) -> str:
    """Return a number with commas: 12,034."""
    return f"{value:,}"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount for display: `1,234.50`, of yen `1,234`; without rounding."""
    places = 0 if currency in WITHOUT_FRACTIONS else 2
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:,.{max(places, -exponent if isinstance(exponent, int) else 0)}f}"


def worth(given: tuple[str | None, str | None]) -> str:
    """Return the amount and currency of an order for display; "" without an amount.

    >>> worth(("1112.5", "EUR")), worth(("12", None)), worth((None, "EUR")), worth(("1e9", "EUR"))
    ('1,112.50 EUR', '12.00', '', '1e9 EUR')
    """
    amount, currency = given
    if not amount:
        return ""
    shown = money(Decimal(amount), currency or "") if amount.replace(".", "", 1).isdecimal() else amount
    return f"{shown} {currency}" if currency else shown


def percent(part: int, whole: int) -> str:
    """Return a share such as `33 %`, never rounded up to 100 or down to 0; "" without a total."""
    if not whole:
        return ""
    share = round(100 * part / whole)
    if part and not share:
        return "<1 %"
    return "99 %" if share == 100 and part < whole else f"{share} %"  # noqa: PLR2004 - a hundred per cent


def changed(now: Decimal | int, before: Decimal | int | None) -> str:
    """Return the change of a count or sum, such as `+12 %`; "" without an earlier value."""
    if not before:
        return ""
    share = round(100 * (now - before) / before)
    return "as before" if share == 0 else f"{share:+d} %".replace("-", "\u2212")


def time_span(seconds: float) -> str:
    """Return a duration in its largest unit, rounded down: 5400 seconds are `1 hour`, 95 are `1 minute`."""
    for size, one, many in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {one if count == 1 else many}"
    return "a moment"


def day(at: float) -> str:
    """Return the day of a time (Unix seconds) in UTC: 2025-11-25."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def iso(at: float) -> str:
    """Return a time (Unix seconds) as ISO 8601 in UTC: 2025-11-25T11:06:25Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: The start and the end of a longer text are shown.
_WHOLE, _BEGINNING, _END = 18, 8, 6


def middle(text: str) -> str:
    """Return a text, without its middle if it is long.

    >>> middle("SO-1001"), middle("549755885175-2026-11-25-abcdef01")
    ('SO-1001', '54975588…cdef01')
    """
    return text if len(text) <= _WHOLE else f"{text[:_BEGINNING]}…{text[-_END:]}"


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def mapped_value(value: Any) -> str:
    """Return the value of a field in a mapping, as written; a directive as its JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


#: Pinterest accepts these two unhashed, although they are personal data.
PLAIN = frozenset(UNHASHED)
MASK = "(masked)"


def masked(value: Any) -> Any:
    """Return the JSON value with IP address and user agent masked at any depth."""
    if isinstance(value, Mapping):
        return {name: MASK if name in PLAIN and member else masked(member) for name, member in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


#: The event happened a minute ago.
AGE_S = 60


def with_fresh_timestamp(event: Event, now: float) -> Event:
    """Return the event with a `timestamp` a minute ago; other members are unchanged."""
    return {**event, "timestamp": iso(now - AGE_S)}
