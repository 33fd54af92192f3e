"""What stands where an object or list belongs, and is none (PHP writes `false`), is read as if nothing stood there."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from app.catalog import Catalog
from tests.assembled import pipeline
from tests.process import ROOT
from tests.rounds import some_of

NOW = 1772640772.244
LINES = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
#: All of the suite would take a minute.
EVENTS = [orjson.loads(line) for line in LINES[::40]]
#: Where the default mapping looks for members, whether or not an event of the suite has it.
LOOKED_INTO = [
    *(("properties", name) for name in ("user_data", "customer", "products", "address")),
    *(("context", name) for name in ("app", "campaign", "device", "network", "os", "page", "screen", "traits")),
    ("context", "traits", "address"),
    ("traits",),
]


def containers(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where the objects and lists of an event stand, those within lists left out."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from containers(member, (*at, key))
    if isinstance(value, dict | list) and at:
        yield at


def changed(event: dict[str, Any], at: tuple[str, ...], *value: Any) -> dict[str, Any]:
    """Put the value there, or take away what is there."""
    copy = deepcopy(event)
    above = copy
    for key in at[:-1]:
        above = above.setdefault(key, {})
    above.pop(at[-1], None)
    if value:
        above[at[-1]] = value[0]
    return copy


@pytest.mark.prove
@pytest.mark.parametrize("nothing", [False, None, "", [], True, "x", 5], ids=repr)
def test_what_is_no_object_or_list_hides_nothing_and_says_nothing(nothing: Any, catalog: Catalog) -> None:
    shipped = pipeline(catalog, integration_names=("none",))  # routing that cannot be read is an opt-out, not nothing

    def made_of(event: dict[str, Any]) -> Any:
        return [(preset, orjson.loads(sent)) for preset, sent in shipped.map_event(orjson.dumps(event), NOW)]

    for event in some_of(EVENTS):
        for at in {*containers(event), *LOOKED_INTO}:
            assert made_of(changed(event, at, nothing)) == made_of(changed(event, at)), at
