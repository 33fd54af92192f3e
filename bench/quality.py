"""How many events carry each of Pinterest's eleven quality components: our defaults beside Segment's.

    python bench/quality.py
    python bench/quality.py --journeys      what identity memory brings, on the journeys of 300 visitors
    python bench/quality.py --shopify       what a Shopify shop's pixel brings, on one journey to an order

Two sets of events: the clean ones of the vectors, and one of each source as it sends them (`tests/presets/shapes`).
Both mappings are resolved by our engine and built by our action, so that only the defaults differ.
Segment's are those of its Pinterest Conversions destination of 17 August 2026 (`data_format: latest`).
"""

import asyncio
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from app import assemble
from app.catalog import Catalog
from app.catalog.sources import load_source
from app.commands.preview import preview_in_order
from app.commands.story import Sender, Step, Story, play
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


#: The events of one visitor before the order, as the pixel reports them: name and data.
_PRODUCT = {
    "id": "808950810",
    "price": {"amount": 122.49, "currencyCode": "USD"},
    "product": {"id": "632910392", "title": "IPod Nano", "vendor": "Apple", "type": "Player"},
}
_BEFORE_CHECKOUT: dict[str, dict[str, Any]] = {
    "page_viewed": {},
    "product_viewed": {"productVariant": _PRODUCT},
    "search_submitted": {"searchResult": {"query": "ipod", "productVariants": [_PRODUCT]}},
    "product_added_to_cart": {"cartLine": {"quantity": 2, "merchandise": _PRODUCT}},
}


def shopify() -> None:
    """Print what the events of one journey carry, by the webhooks alone and with the pixel.

    The visitor comes from a pin, and orders in the same visit or in a later one. Then the order of the webhook has no
    click id.
    """
    tables = {}
    for visit, landing_site in (("same visit", "/?epik=dj0yJnU9abc"), ("later visit", "/")):
        tables[f"webhooks, {visit}"] = _played(_webhooks(landing_site, ("checkout-begun", "order-paid")))
        tables[f"with pixel, {visit}"] = _played([*_pixel(), *_webhooks(landing_site, ("order-paid",))])
    print("One journey of a Shopify shop: quality components of each event\n")
    names = dict.fromkeys(name for sent in tables.values() for name in sent)
    print(f"{'':28}" + "".join(f"{name:>18}" for name in names) + f"{'all':>18}")
    for title, sent in tables.items():
        counts = [len(sent[name]) if name in sent else 0 for name in names]
        print(f"{title:28}" + "".join(f"{count:18}" for count in (*counts, sum(counts))))
    before, now = tables["webhooks, later visit"]["checkout"], tables["with pixel, later visit"]["checkout"]
    print(f"\nThe pixel adds to the order of a later visit: {', '.join(sorted(now - before))}")


def _pixel() -> Iterator[Step]:
    placed = orjson.loads((ROOT / "tests/sources/cases/shopify_pixel-order-placed.json").read_bytes())["request"][
        "body"
    ]
    order = orjson.loads((ROOT / "tests/sources/cases/shopify-order-paid.json").read_bytes())["request"]["body"]
    checkout = {"checkout": placed["data"]["checkout"] | {"token": order["checkout_token"]}}
    later = dict.fromkeys(("checkout_started", "payment_info_submitted", "checkout_completed"), checkout)
    for number, (name, data) in enumerate((_BEFORE_CHECKOUT | later).items()):
        body = placed | {"id": f"sh-{number}", "name": name, "data": data, "timestamp": f"2026-11-25T10:0{number}:00Z"}
        yield from _steps("shopify_pixel", body, {}, at=60 * number)


def _webhooks(landing_site: str, cases: tuple[str, ...]) -> Iterator[Step]:
    for number, name in enumerate(cases):
        request = orjson.loads((ROOT / f"tests/sources/cases/shopify-{name}.json").read_bytes())["request"]
        yield from _steps(
            "shopify", request["body"] | {"landing_site": landing_site}, request["headers"], at=900 + number
        )


def _steps(source: str, body: dict[str, Any], headers: dict[str, str], *, at: float) -> Iterator[Step]:
    """Yield a step of a story for each event that a shipped source makes of a body."""
    named = load_source((ROOT / "sources",), source)
    around = {"method": "POST", "query": {}, "ip": "203.0.113.7", "headers": {k.lower(): v for k, v in headers.items()}}
    for event in named.reshape({**around, "body": body}) if named.reshape else ():
        sender = Sender(trust="public" if source == "shopify_pixel" else "trusted", source=source)
        yield Step(at=at, sender=sender, event=cast("dict[str, Any]", event))


def _played(steps: Iterable[Step]) -> dict[str, set[str]]:
    """Return the components of each event that is sent, by Pinterest's name."""
    folders = {"presets_dir": (ROOT / "presets",), "mappings_dir": (ROOT / "mappings",)}
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(play(Story(start="2026-11-25T10:00:00Z", steps=list(steps)), Path(folder), 0, folders))
    return {event["event_name"]: set(components(event)) for _, event, _ in told.sent}


def main() -> None:
    """Print a table for each set: a row a component, a column an event name, ours and Segment's in per cent."""
    if "--journeys" in sys.argv:
        journeys()
        return
    if "--shopify" in sys.argv:
        shopify()
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
