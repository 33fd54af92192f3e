"""What 300 visitors do, with what each delivery must hold: the cases of tests/conformance/journeys.ndjson."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson

from app.core.events import Event
from app.identity import GROUPS
from tests.process import ROOT
from tests.rounds import LEVEL

FILE = ROOT / "tests/conformance/journeys.ndjson"
#: As the cases were made.
SETTINGS = {
    "remember_days": 90,
    "remember_secret": "a secret of the installation, long",
}
#: The groups that are looked at.
LOOKED_AT = ("em", "ph", "external_id", "name", "click", "place")


class Row(NamedTuple):
    event: Event
    #: None where no delivery is looked at.
    expected: Any


@cache
def rows() -> tuple[Row, ...]:
    return tuple(Row(**orjson.loads(line)) for line in FILE.read_bytes().splitlines())


def first_rows(number: int) -> tuple[Row, ...]:
    """Return the first of them, by `make prove` all: for what plays them by a store or a server."""
    return rows() if LEVEL == "prove" else rows()[:number]


def shown(delivery: Mapping[str, Any]) -> Any:
    """A delivery, as `preview --journey` or a receipt tells it, in the form of the cases."""
    if delivery["outcome"] == "invalid":
        return "invalid"
    user_data = delivery["event"]["user_data"]
    return dict(_groups(user_data, delivery.get("memory", {})))


def _groups(user_data: Mapping[str, Any], memory: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in LOOKED_AT:
        members = {name: user_data[name] for name in GROUPS[group] if name in user_data}
        if members:
            value = {"place": True, "name": members}.get(group) or next(iter(members.values()))
            yield group, {"from": "memory" if group in memory else "own", "value": value}


def anonymous_ids_of_the_deleted() -> set[str]:
    """Of those who ask for erasure: what waited to be sent goes with them, where it came just before."""
    events = [row.event for row in rows()]
    deleted = {event["userId"] for event in events if event["type"] == "delete"}
    return {event["anonymousId"] for event in events if event.get("userId") in deleted and "anonymousId" in event}
