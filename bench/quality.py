"""How many events carry each of Pinterest's eleven quality components: our defaults beside Segment's.

    python bench/quality.py
    python bench/quality.py --journeys      what identity memory brings, on the journeys of 300 visitors

Two sets of events: the clean ones of the vectors, and one of each source as it sends them (`tests/presets/shapes`).
Both mappings are resolved by our engine and built by our action, so that only the defaults differ.
Segment's are those of its Pinterest Conversions destination of 17 August 2026 (`data_format: latest`).
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from app import assemble
from app.catalog import Catalog
from app.commands.preview import preview_in_order
from app.config import load_settings
from app.destination import COMPONENTS, components, report_conversion_event
from app.destination.user_data import missing_identifiers
from app.errors import EventInvalid
from app.mapping import compile_mapping
from app.pipeline.explain import event_without_memory
from app.source import Arrival, read_event
from app.source.received_request import Requester

ROOT = Path(__file__).parents[1]
ALL = "all"

_PRICE = {"@path": "$.properties.price"}
_EMAIL = {"@path": "$.properties.email"}
SEGMENT: dict[str, Any] = {
    "action_source": "web",
    "event_time": {"@path": "$.timestamp"},
    "event_id": {"@path": "$.messageId"},
    "event_source_url": {"@path": "$.context.page.url"},
    "user_data": {
        "email": {"@if": {"exists": _EMAIL, "then": _EMAIL, "else": {"@path": "$.traits.email"}}},
        "client_ip_address": {"@path": "$.context.ip"},
        "client_user_agent": {"@path": "$.context.userAgent"},
    },
    "custom_data": {
        "currency": {"@path": "$.properties.currency"},
        "value": {"@if": {"exists": _PRICE, "then": _PRICE, "else": {"@path": "$.properties.value"}}},
        "order_id": {"@path": "$.properties.order_id"},
        "search_string": {"@path": "$.properties.query"},
        "contents": {
            "@arrayPath": [
                "$.properties.products",
                {
                    "id": {"@path": "$.product_id"},
                    "item_name": {"@path": "$.name"},
                    "item_price": {"@path": "$.price"},
                    "quantity": {"@path": "$.quantity"},
                },
            ]
        },
    },
}

#: Groups of memory that are components of Pinterest's quality.
_GROUPS = {"em": "hashed_email", "external_id": "advertiser_external_id", "click": "click_id_epik"}
#: Event name (or ALL) -> component -> how many events carry it.
Carried = Mapping[str, Counter[str]]


def measure(catalog: Catalog, events: list[dict[str, Any]]) -> tuple[Counter[str], Carried, Carried]:
    """Return how many events there are of each name, and what they carry by our defaults and by Segment's."""
    count: Counter[str] = Counter()
    ours: Carried = defaultdict(Counter)
    segment: Carried = defaultdict(Counter)
    for event in events:
        for preset in catalog.enabled:
            if preset.trigger.matches(event):
                name = preset.fields["event_name"]
                theirs = compile_mapping(SEGMENT | {"event_name": name})
                count.update((name, ALL))
                for carried, mapping in ((ours, preset.mapping), (segment, theirs)):
                    found = _components(mapping.resolve(event))
                    carried[name].update(found)
                    carried[ALL].update(found)
    return count, ours, segment


def _components(fields: dict[str, Any]) -> tuple[str, ...]:
    """Return what the finished event carries, whatever its age; one that Pinterest would refuse carries nothing."""
    try:
        return components(report_conversion_event(fields, now=None)[0])
    except EventInvalid:
        return ()


def journeys() -> None:
    """Print what events of the journeys carry alone, with memory, and by the rules at most."""
    settings = load_settings(
        presets_dir=(ROOT / "presets",),
        mappings_dir=(ROOT / "mappings",),
        remember_days=90,
        remember_click_days=60,
        remember_session_days=7,
    )
    rows = [orjson.loads(line) for line in (ROOT / "tests/conformance/journeys.ndjson").read_bytes().splitlines()]
    events = [read_event(row["event"], Arrival.at(0)) for row in rows]
    receipts = preview_in_order(events, settings, assemble.running_catalog(settings).catalog, clock=0)
    alone: Carried = defaultdict(Counter)
    with_memory: Carried = defaultdict(Counter)
    ceiling: Carried = defaultdict(Counter)
    count: Counter[str] = Counter()
    for row, receipt in zip(rows, receipts, strict=True):
        for line in receipt.deliveries if row["expected"] is not None else ():
            names = (line.preset or "", ALL)
            count.update(names)
            rules = row["expected"] if isinstance(row["expected"], dict) else {}
            for name in names:
                ceiling[name].update(_GROUPS[group] for group in rules if group in _GROUPS)
                if line.event is not None:
                    own = event_without_memory(line) or {}
                    alone[name].update(components(own) if not missing_identifiers(own["user_data"]) else ())
                    with_memory[name].update(components(line.event))
    print("Journeys: events that carry each, in per cent: alone | with memory | by the rules\n")
    print(" " * 24 + "".join(f"{name:>24}" for name in count))
    print(f"{'events':24}" + "".join(f"{count[name]:24}" for name in count))
    for component in _GROUPS.values():
        cells = [
            " |".join(_share(carried, name, component, count) for carried in (alone, with_memory, ceiling))
            for name in count
        ]
        print(f"{component:24}" + "".join(f"{cell:>24}" for cell in cells))
    means = [f"{_mean(alone, name, count):.2f} | {_mean(with_memory, name, count):.2f}" for name in count]
    print(f"{'components an event':24}" + "".join(f"{mean:>24}" for mean in means))


def main() -> None:
    """Print a table for each set: a row a component, a column an event name, ours and Segment's in per cent."""
    if "--journeys" in sys.argv:
        journeys()
        return
    settings = load_settings(presets_dir=(ROOT / "presets",), mappings_dir=(ROOT / "mappings",))
    catalog = assemble.running_catalog(settings).catalog
    lines = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
    print("Events that carry each quality component, in per cent: ours | Segment's defaults\n")
    print_table(catalog, [orjson.loads(line) for line in lines])
    print("\nThe same of events as each source sends them\n")
    print_table(catalog, list(events_of_sources()))


def events_of_sources() -> Iterator[dict[str, Any]]:
    """Yield the event of each source as its door hands it on; of an SDK's request the events of its batch."""
    for file in sorted((ROOT / "tests/presets/shapes").glob("*.json")):
        case = orjson.loads(file.read_bytes())
        if "event" in case:
            yield case["event"]
            continue
        request = case["request"]
        requester = Requester(ip=request["from"], user_agent=request["headers"]["user-agent"], gpc=None)
        for event in request["body"].get("batch", [request["body"]]):
            requester.complete(event)
            yield event


def print_table(catalog: Catalog, events: list[dict[str, Any]]) -> None:
    """Print what events carry, a column an event name."""
    count, ours, segment = measure(catalog, events)
    names = [name for name, _ in count.most_common()]
    print(" " * 22 + "".join(f"{name:>18}" for name in names))
    print(f"{'events':22}" + "".join(f"{count[name]:18}" for name in names))
    for component in COMPONENTS:
        cells = [f"{_share(ours, name, component, count)} |{_share(segment, name, component, count)}" for name in names]
        print(f"{component:22}" + "".join(f"{cell:>18}" for cell in cells))
    means = [f"{_mean(ours, name, count):.1f} |{_mean(segment, name, count):5.1f}" for name in names]
    print(f"{'components an event':22}" + "".join(f"{mean:>18}" for mean in means))


def _share(carried: Carried, name: str, component: str, count: Counter[str]) -> str:
    return f"{100 * carried[name][component] / count[name]:5.0f}"


def _mean(carried: Carried, name: str, count: Counter[str]) -> float:
    return carried[name].total() / count[name]


if __name__ == "__main__":
    main()
