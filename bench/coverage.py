"""How many events carry each of Pinterest's eleven quality components: our defaults beside Segment's.

    python bench/coverage.py

Both mappings are resolved by our engine and built by our action, so that only the defaults differ.
Segment's are those of its Pinterest Conversions destination of 17 August 2026 (`data_format: latest`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app import assemble
from app.catalog import Catalog
from app.config import load_settings
from app.destination import COMPONENTS, components, report_conversion_event
from app.errors import EventInvalid
from app.mapping import compile_mapping

ROOT = Path(__file__).parents[1]
#: The events are of 4 March 2026; all are younger than 7 days then.
NOW = datetime.fromisoformat("2026-03-05T01:00:00Z").timestamp()
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

#: Event name (or ALL) -> component -> how many events carry it.
Carried = Mapping[str, Counter[str]]


def measure(catalog: Catalog, events: list[dict[str, Any]]) -> tuple[Counter[str], Carried, Carried]:
    """Answer how many events there are of each name, and what they carry by our defaults and by Segment's."""
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
    """List what the finished event carries; an event that Pinterest would refuse carries nothing."""
    try:
        return components(report_conversion_event(fields, now=NOW)[0])
    except EventInvalid:
        return ()


def main() -> None:
    """Print one table: a row a component, a column an event name, ours and Segment's in per cent."""
    lines = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
    settings = load_settings(presets_dir=(ROOT / "presets",), mappings_dir=(ROOT / "mappings",))
    catalog = assemble.running_catalog(settings).catalog
    count, ours, segment = measure(catalog, [orjson.loads(line) for line in lines])
    names = [name for name, _ in count.most_common()]
    print("Events that carry each quality component, in per cent: ours | Segment's defaults\n")
    print(" " * 22 + "".join(f"{name:>15}" for name in names))
    print(f"{'events':22}" + "".join(f"{count[name]:15}" for name in names))
    for component in COMPONENTS:
        cells = [f"{_share(ours, name, component, count)} |{_share(segment, name, component, count)}" for name in names]
        print(f"{component:22}" + "".join(f"{cell:>15}" for cell in cells))
    means = [f"{_mean(ours, name, count):.1f} |{_mean(segment, name, count):5.1f}" for name in names]
    print(f"{'components an event':22}" + "".join(f"{mean:>15}" for mean in means))


def _share(carried: Carried, name: str, component: str, count: Counter[str]) -> str:
    return f"{100 * carried[name][component] / count[name]:5.0f}"


def _mean(carried: Carried, name: str, count: Counter[str]) -> float:
    return carried[name].total() / count[name]


if __name__ == "__main__":
    main()
