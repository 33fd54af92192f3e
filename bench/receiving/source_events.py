"""Events as sources send them, by kind: orders by each amount, refunds, opt-outs, and those of SDKs, shops and GA4."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / "tests/presets/shapes"
CLEAN = ROOT / "tests/conformance/events.ndjson"
#: When they arrive.
NOW = datetime.fromisoformat("2026-11-25T10:15:05+00:00").timestamp()
#: Of each event, of one person each.
COPIES = 40
ORDER = "order by "

_ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "order",
    "userId": "cust-",
    "timestamp": "2026-11-25T10:14:00Z",
    "context": {
        "ip": "203.0.113.7",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/145.0.0.0 Safari/537.36",
        "page": {"url": "https://shop.example/thanks"},
        "traits": {"email": "jane.doe@shop.example"},
    },
}
_PRODUCTS = [
    {"product_id": "OA-1", "name": "Walnut stool", "price": 18.5, "quantity": 2, "category": "Seating"},
    {"product_id": "OA-2", "name": "Linen cushion", "price": 20, "quantity": 1, "category": "Textiles"},
]
_AMOUNTS: dict[str, dict[str, Any]] = {
    f"{ORDER}revenue": {"revenue": 57.5},
    f"{ORDER}value": {"value": 57.5},
    f"{ORDER}subtotal": {"subtotal": "57.50"},
    f"{ORDER}total": {"total": 57.5},
    f"{ORDER}total, tax and shipping": {"total": 66.0, "tax": 5.5, "shipping": 3},
    f"{ORDER}its products": {},
    "refund by revenue": {"revenue": -57.5},
    "refund by total": {"total": "-57.50"},
}
_OPT_OUTS: list[dict[str, Any]] = [
    {"context": {"opt_out": True}},
    {"context": {"gpc": True}},
    {"context": {"device": {"adTrackingEnabled": False, "type": "ios", "advertisingId": "7A3CBEA0-BDF5"}}},
    {"context": {"device": {"attTrackingStatus": 2}}},
    {"properties": {"opt_out_type": "LDP", "state": "CA", "country": "US"}},
]


def source_events() -> dict[str, list[bytes]]:
    """Return raw events by kind, each COPIES times with another person."""
    kinds = {name: [_order(amounts)] for name, amounts in _AMOUNTS.items()}
    kinds["opt-outs"] = [_laid_over(_order({"revenue": 57.5}), said) for said in _OPT_OUTS]
    kinds["SDKs, shops, GA4"] = list(chain.from_iterable(map(_sent, sorted(SHAPES.glob("*.json")))))
    return {
        name: [orjson.dumps(_of_another(event, number)) for event in events for number in range(COPIES)]
        for name, events in kinds.items()
    }


def lines_of(events: str) -> list[bytes]:
    """Return raw events: the `clean` ones of tests/conformance, or those of `sources`, each kind as often."""
    if events == "clean":
        return CLEAN.read_bytes().splitlines()
    kinds = [[line for copy in range(COPIES) for line in lines[copy::COPIES]] for lines in source_events().values()]
    return [lines[number % len(lines)] for number in range(max(map(len, kinds))) for lines in kinds]


def _order(amounts: dict[str, Any]) -> dict[str, Any]:
    return _ORDER | {"properties": {"order_id": "SO-1", "currency": "EUR", "products": _PRODUCTS, **amounts}}


def _laid_over(event: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    return event | {name: event[name] | members for name, members in said.items()}


def _sent(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of one file: what a webhook gets, or what an SDK posts, with what the server adds to it."""
    case = orjson.loads(file.read_bytes())
    if "event" in case:
        yield case["event"]
        return
    body = case["request"]["body"]
    for event in body.get("batch", [body]):
        yield {**event, "context": {"ip": "203.0.113.9", **event.get("context", {})}}


def _of_another(value: Any, number: int) -> Any:
    """Return an event with other ids and addresses."""
    if isinstance(value, dict):
        changed = {name: _of_another(member, number) for name, member in value.items()}
        return changed | {name: f"{value[name]}{number}" for name in ("messageId", "userId") if value.get(name)}
    if isinstance(value, list):
        return [_of_another(item, number) for item in value]
    return value.replace("@", f"{number}@") if isinstance(value, str) else value
