"""What a search may be narrowed by, as pages, programs and commands write it: names and texts, read as a Query."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.core.deliveries import State
from app.core.events import Exit
from app.core.pages import Query
from app.core.values.times import unix_seconds
from app.errors import FilterError


def _choice(kind: type[State | Exit], *more: str) -> Callable[[str], State | Exit | str]:
    def read(text: str) -> State | Exit | str:
        try:
            return text if text in more else kind(text)
        except ValueError as exc:
            raise FilterError(f"is none of {', '.join((*kind, *more))}") from exc

    return read


def _time(text: str) -> float:
    at = unix_seconds(text)
    if at is None:
        raise FilterError("is no time: write 2026-03-04T05:06:07Z, or Unix seconds")
    return at


def _status(text: str) -> int:
    if not re.fullmatch(r"[1-5]\d\d", text, re.ASCII):
        raise FilterError("is no HTTP status, such as 422")
    return int(text)


def _currency(text: str) -> str:
    return "" if text.lower() == "none" else text.upper()


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise FilterError("is neither yes nor no")
    return text == "yes"


#: Filter -> the words for it.
SEARCH_FILTERS: Final[Mapping[str, str]] = {
    "delivery_id": "delivery",
    "message_id": "message id",
    "event_id": "event id",
    "order_id": "order id",
    "ad_account_id": "ad account",
    "preset": "preset",
    "event_name": "event name",
    "name": "name as received",
    "source": "source",
    "currency": "currency",
    "is_order": "order or not",
    "state": "state",
    "exit": "exit",
    "taken": "taken by a preset",
    "status": "Pinterest's answer",
    "reason": "reason contains",
    "cause": "cause",
    "warning": "warning contains",
    "since": "since",
    "until": "until",
}
#: How the texts of some are read; those of the others are taken as they are.
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "currency": _currency,
    "is_order": _yes_or_no,
    "state": _choice(State, "waiting"),
    "exit": _choice(Exit),
    "taken": _yes_or_no,
    "status": _status,
    "since": _time,
    "until": _time,
}


def given_filters(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the filters that say something, trimmed. Raises FilterError for an unknown name."""
    if unknown := [name for name in texts if name not in SEARCH_FILTERS]:
        message = f'There is no filter "{unknown[0][:40]}". There are: {", ".join(SEARCH_FILTERS)}.'
        raise FilterError(message)
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def read_filters(texts: Mapping[str, str]) -> Query:
    """Return what the filters ask for.

    Raises FilterError for an unknown name, for a state, exit, status or time that cannot be read, and for an empty
    text: a program whose variable is empty does not mean everything. Fields of a form may be empty: `given_filters`
    leaves those out.
    """
    conditions: dict[str, Any] = {}
    given = given_filters(texts)
    if empty := texts.keys() - given.keys():
        message = f'The filter "{min(empty)}" is empty: leave it out, or say what it asks for.'
        raise FilterError(message)
    for name, text in given.items():
        try:
            conditions[name] = _READ[name](text) if name in _READ else text
        except FilterError as exc:
            raise FilterError(f'The filter "{name}" {exc}.') from exc
    return Query(**conditions)
