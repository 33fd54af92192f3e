"""Pinterest's verdict on events: what refuses the whole call, what refuses one event, what is only a warning."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app.core.values.event_names import ACTION_SOURCES, EVENT_NAMES
from app.core.values.times import DAY_S
from app.sandbox.checks import array, closed
from app.sandbox.schema import CONVERSION_EVENT, HASHED

MAX_EVENTS = 1_000
#: Pinterest refuses older events (seen as status 422).
MAX_AGE_S = 7 * DAY_S
#: Ours: Pinterest does not say how far ahead a clock may be.
MAX_AHEAD_S = 300

_SHA256 = re.compile("[0-9a-f]{64}")
_CALL = closed({"data": array(lambda _event: (), min_items=1, max_items=MAX_EVENTS)}, required=("data",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Pinterest says of one event of a call that it could read."""

    #: Why the event failed; "" where it was processed.
    error: str
    #: "" where there is nothing to remark.
    warning: str


def judge(event: Any, now: float, *, event_names: Collection[str] = ()) -> list[str]:
    """Return everything for which Pinterest would refuse this event; [] is a good one.

    `event_names` are the advertiser's own beside the 22 standard ones. Warnings are not problems: see `verdict`.
    """
    problems = schema_problems(event)
    if problems:
        return problems
    error = verdict(event, now, event_names=event_names).error
    return [error] if error else []


def call_problem(body: Any) -> str | None:
    """Return why the whole call is refused (status 400): its shape, or the first faulty event; None where it is not.

    Like Pinterest's, the answer does not tell which event it was.
    """
    problems = _worded(_CALL(body))
    if problems:
        return problems[0]
    return next((found[0] for event in body["data"] if (found := schema_problems(event))), None)


def schema_problems(event: Any) -> list[str]:
    """Return where an event breaks the schema: `custom_data.value: integer is not of type 'string'`."""
    return _worded(CONVERSION_EVENT(event))


def verdict(event: dict[str, Any], now: float, *, event_names: Collection[str] = ()) -> Verdict:
    """Judge an event that keeps to the schema."""
    user_data = event["user_data"]
    unhashed = [name for name in HASHED if not all(map(_SHA256.fullmatch, user_data.get(name, ())))]
    return Verdict(
        error=_error(event, now, event_names),
        warning="; ".join(f"'{name}' is not in sha256 hashed format" for name in unhashed),
    )


def _error(event: dict[str, Any], now: float, event_names: Collection[str]) -> str:
    at = event["event_time"]
    if not now - MAX_AGE_S <= at <= now + MAX_AHEAD_S:
        return (
            f"Invalid event_timestamp parameter. Given timestamp is in the {'past' if at < now else 'future'}. "
            f"Current timestamp: {int(now)}, Given event_timestamp: {at}"
        )
    if event["event_name"] not in EVENT_NAMES and event["event_name"] not in event_names:
        return "Invalid event_name parameter. It is neither a standard event nor defined by the advertiser"
    if event["action_source"] not in ACTION_SOURCES:
        return f"Invalid action_source parameter. It must be one of {', '.join(ACTION_SOURCES)}"
    return ""


def _worded(problems: Any) -> list[str]:
    return [f"{path}: {message}" if path else message for path, message in problems]
