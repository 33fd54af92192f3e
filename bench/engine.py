"""How long one event takes: raw JSON line in, finished Pinterest JSON out; one core, no network, no store.

    python bench/engine.py

Beside it, in the same run:
    by hand    the same work written straight down for exactly these presets (`by_hand` below): no catalog, no triggers,
               no mapping, no warnings, only the types that occur in the events. Equal results are asserted.
    Segment    its published engine under Node (bench/node/segment.cjs), where it is installed (`make bench-node`).

Then a second set, events as sources send them (receiving/source_events.py), by kind. What is made of
such events is proven by tests/presets.

CPU time of the process, so that others on the machine do not count; the best of ROUNDS. What the rules remember of
people and pages (digests, addresses) is forgotten before each round. What a shop has few of is kept: texts of products,
the user agents that are no crawlers'.
"""

import functools
import gc
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pycountry

from app import assemble
from app.config import load_settings
from app.config.settings import ConversionSettings
from app.core.values import times
from app.destination import normalise, place_names, redaction
from app.pipeline.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from bench.receiving import source_events

ROOT = Path(__file__).parents[1]
ROUNDS = 7
#: Before anything is measured, as a server's first seconds.
WARM_ROUNDS = 3
#: Each kind of order may take so many times as long as the cheapest.
ORDERS_APART = 1.6
#: The events are of 4 March 2026; all are younger than 7 days then.
NOW = datetime.fromisoformat("2026-03-05T01:00:00Z").timestamp()

Json = dict[str, Any]
Made = list[tuple[str, bytes]]

TRACKED = {
    "Product Category Viewed": ("View Category", "view_category"),
    "Product List Viewed": ("Product List Viewed", "view_category"),
    "Product Added": ("Add to Cart", "add_to_cart"),
    "Checkout": ("Checkout", "checkout"),
    "Order Completed": ("Order Completed", "checkout"),
    "Checkout Started": ("Checkout Started", "initiate_checkout"),
    "Generate Lead": ("Lead", "lead"),
    "Product Video Watched": ("Watch Video", "watch_video"),
    "Video Playback Completed": ("Video Playback Completed", "watch_video"),
    "Signed Up": ("Sign Up", "signup"),
    "Products Searched": ("Search", "search"),
    "Product Viewed": ("Product Viewed", "view_content"),
    "Payment Info Entered": ("Payment Info Entered", "add_payment_info"),
    "Product Added to Wishlist": ("Product Added to Wishlist", "add_to_wishlist"),
    "Trial Started": ("Trial Started", "start_trial"),
    "Subscription Created": ("Subscription Created", "subscribe"),
}
APP_EVENTS = {"Application Installed": ("Installed", "app_install"), "Application Opened": ("Opened", "app_open")}
ADDRESSES = ("address", "shipping_address", "billing_address", "shippingAddress", "billingAddress")
LANGUAGES = {language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2")}
REDACT = redaction.Redactor(ConversionSettings.model_construct().redacted_parameters)
HASHED = {
    "em": normalise.normalise_email,
    "ph": normalise.phone_normaliser(None),
    "ge": normalise.normalise_gender,
    "db": normalise.normalise_date_of_birth,
    "ln": normalise.normalise_name,
    "fn": normalise.normalise_name,
    "ct": normalise.normalise_city,
    "st": normalise.normalise_state,
    "zp": normalise.normalise_zip,
    "country": normalise.normalise_country,
    "external_id": normalise.external_id_normaliser(keep_case=False),
    "hashed_maids": normalise.normalise_maid,
}


def by_hand(raw: bytes) -> Made:
    """Do for one event what the engine does, as a program for these presets alone would."""
    event = orjson.loads(raw)
    preset, name, source = None, "", "web"
    if event["type"] == "page":
        preset, name = "Page Visit", "page_visit"
    elif event["type"] == "track":
        preset, name = TRACKED.get(event["event"], (None, ""))
        if preset is None and event["event"] in APP_EVENTS:
            preset, name, source = app_preset(event)
    return [] if preset is None else [(preset, orjson.dumps(conversion(event, preset, name, source)))]


def app_preset(event: Json) -> tuple[str | None, str, str]:
    """Choose by the system of the device."""
    context = event.get("context") or {}
    kind, system = (context.get("device") or {}).get("type"), (context.get("os") or {}).get("name")
    word, name = APP_EVENTS[event["event"]]
    if kind == "android" or system == "Android":
        return f"Application {word} (Android)", name, "app_android"
    if kind == "ios" or system in {"iOS", "iPadOS"}:
        return f"Application {word} (iOS)", name, "app_ios"
    return None, name, "web"


def conversion(event: Json, preset: str, name: str, source: str) -> Json:
    """Write Pinterest's event member by member."""
    p, c = event.get("properties") or {}, event.get("context") or {}
    page, device, network = c.get("page") or {}, c.get("device") or {}, c.get("network") or {}
    app, system = c.get("app") or {}, c.get("os") or {}
    seconds = math.floor(datetime.fromisoformat(event.get("timestamp") or event["receivedAt"]).timestamp())
    if seconds - NOW > 60:
        seconds = math.floor(NOW)
    assert NOW - seconds < 7 * 86400
    sent = {
        "event_name": name,
        "action_source": source,
        "event_time": seconds,
        "event_id": p.get("event_id") or p.get("eventID") or event["messageId"],
    }
    people = who(event, p, c, device, page)
    if url := page.get("url") or p.get("url"):
        sent["event_source_url"] = without_personal_data(url, p)
    permission = device.get("adTrackingEnabled")
    if permission is not None and permission != "":
        sent["opt_out"] = permission is not True
    if (locale := c.get("locale")) and locale[:2].lower() in LANGUAGES:
        sent["language"] = locale[:2].lower()
    if (wifi := network.get("wifi")) is not None:
        sent["wifi"] = wifi
    put(sent, "custom_data", what(p, preset))
    brand, carrier = device.get("brand") or device.get("manufacturer"), network.get("carrier") or device.get("carrier")
    if app:
        put(sent, "app_id", app.get("id"))
        put(sent, "app_name", app.get("name"))
        put(sent, "app_version", app.get("version"))
        info = {"app_id": app.get("id"), "app_name": app.get("name"), "app_package_name": app.get("namespace")}
        put(sent, "app_info", filled(info | {"app_version": app.get("version")}))
    put(sent, "device_brand", brand)
    put(sent, "device_carrier", carrier)
    put(sent, "device_model", device.get("model"))
    put(sent, "device_type", device.get("type"))
    put(sent, "os_version", system.get("version"))
    put(sent, "device_info", device_info(c, device, system, brand, carrier))
    sent["user_data"] = people
    return sent


def device_info(c: Json, device: Json, system: Json, brand: Any, carrier: Any) -> Json:
    """Describe the device."""
    screen = c.get("screen") or {}
    info = {"locale": c.get("locale"), "timezone": c.get("timezone")}
    if device or system or screen or carrier:
        info |= {
            "brand": brand,
            "carrier": carrier,
            "model": device.get("model"),
            "type": device.get("type"),
            "network_type": "wifi" if (c.get("network") or {}).get("wifi") is True else None,
            "os_family": {"iOS": "ios", "Android": "android"}.get(system.get("name") or ""),
            "os_name": system.get("name"),
            "os_version": system.get("version"),
            "screen_height": screen.get("height"),
            "screen_width": screen.get("width"),
        }
    return filled(info)


def who(event: Json, p: Json, c: Json, device: Json, page: Json) -> Json:
    """Hash who it was."""
    own, traits, customer = c.get("traits") or {}, event.get("traits") or {}, p.get("customer") or {}
    sent: Json = {}
    email = p.get("email") or own.get("email") or traits.get("email")
    hash_into(sent, "em", email or customer.get("email") or p.get("customer_email"))
    if device.get("adTrackingEnabled") is True:
        hash_into(sent, "hashed_maids", device.get("advertisingId"))
    put(sent, "client_ip_address", c.get("ip"))
    put(sent, "client_user_agent", c.get("userAgent"))
    country = where(sent, p, own, traits)
    phone = p.get("phone") or own.get("phone") or traits.get("phone") or p.get("phone_number")
    hash_into(sent, "ph", phone or customer.get("phone") or own.get("phone_number"), country)
    hash_into(sent, "ge", p.get("gender") or own.get("gender") or traits.get("gender"))
    for holder in (p, own, traits):
        if born := holder.get("date_of_birth") or holder.get("dateOfBirth") or holder.get("birthday"):
            hash_into(sent, "db", born)
            break
    for wire, snake, camel in (("ln", "last_name", "lastName"), ("fn", "first_name", "firstName")):
        said = p.get(snake) or p.get(camel) or own.get(snake) or own.get(camel)
        hash_into(sent, wire, said or traits.get(snake) or traits.get(camel) or customer.get(snake))
    hash_into(sent, "external_id", event.get("userId"))
    click_id = parameter(page.get("url"), "epik") or parameter(page.get("search"), "epik")
    put(sent, "click_id", click_id or p.get("epik") or p.get("click_id") or p.get("_epik"))
    put(sent, "partner_id", p.get("partner_id"))
    return sent


def where(sent: Json, p: Json, own: Json, traits: Json) -> str | None:
    """Hash city, state, zip and country, and answer the country."""
    holders = [holder for key in ADDRESSES if (holder := p.get(key))]
    holders += [holder for person in (own, traits) if (holder := person.get("address"))]
    holders += [p, own, traits]
    found = {
        wire: next((holder[key] for holder in holders for key in keys if holder.get(key)), None)
        for wire, keys in (
            ("country", ("country", "country_code", "countryCode")),
            ("ct", ("city",)),
            ("st", ("state", "region")),
            ("zp", ("postalCode", "zip", "postal_code")),
        )
    }
    country = found["country"] and place_names.country_code(found["country"])
    for wire, value in found.items():
        hash_into(sent, wire, value, country)
    return country


def what(p: Json, preset: str) -> Json:
    """Describe what was bought, seen or searched for."""
    products = p.get("products") or []
    items = products or ([p] if p.get("product_id") or p.get("productId") or p.get("sku") else [])
    sent: Json = {}
    put(sent, "currency", p.get("currency") or (products[0].get("currency") if products else None))
    put(sent, "value", money(value_of(p, products, preset)))
    if items:
        ids = [item.get("product_id") or item.get("productId") or item.get("id") or item.get("sku") for item in items]
        put(sent, "content_ids", p.get("content_ids") or [str(one) for one in ids if one])
        sent["contents"] = [content(item, str(one)) for item, one in zip(items, ids, strict=True)]
    if p.get("num_items"):
        sent["num_items"] = int(p["num_items"])
    elif preset not in {"View Category", "Product List Viewed"}:
        if products:
            sent["num_items"] = sum(int(item.get("quantity") or 1) for item in products)
        elif p.get("quantity"):
            sent["num_items"] = int(p["quantity"])
    put(sent, "order_id", p.get("order_id") or p.get("orderId"))
    if query := p.get("query") or p.get("search_string"):
        sent["search_string"] = without_personal_data(query, p)
    put(sent, "opt_out_type", p.get("opt_out_type"))
    put(sent, "content_name", p.get("content_name") or p.get("name"))
    put(sent, "content_category", p.get("content_category") or p.get("category"))
    put(sent, "content_brand", p.get("content_brand") or p.get("brand"))
    put(sent, "predicted_ltv", money(p.get("predicted_ltv")))
    return sent


def value_of(p: Json, products: list[Json], preset: str) -> Any:
    """Choose the amount."""
    if preset in {"View Category", "Product List Viewed"}:
        return p.get("value")
    for key in ("revenue", "value", "subtotal"):
        if (given := p.get(key)) is not None and given != "":
            return given
    total, tax, shipping = p.get("total"), p.get("tax"), p.get("shipping")
    if total is not None and (tax is not None or shipping is not None):
        return Decimal(str(total)) - Decimal(str(tax or 0)) - Decimal(str(shipping or 0))
    if products and all(item.get("price") for item in products):
        listed = sum(Decimal(str(item["price"])) * Decimal(str(item.get("quantity") or 1)) for item in products)
        paid = listed - Decimal(str(p.get("discount") or 0))
        return paid if total is None else min(paid, Decimal(str(total)))
    if total is not None:
        return total
    return Decimal(str(p["price"])) * Decimal(str(p.get("quantity") or 1)) if p.get("price") else None


def content(item: Json, product_id: str) -> Json:
    """Describe one product."""
    sent: Json = {"id": product_id}
    put(sent, "item_name", item.get("name"))
    put(sent, "item_category", item.get("category"))
    put(sent, "item_brand", item.get("brand"))
    put(sent, "item_price", money(item.get("price")))
    if quantity := item.get("quantity"):
        sent["quantity"] = int(quantity)
    return sent


def put(sent: Json, key: str, value: Any) -> None:
    """Add what is there."""
    if value is not None and value not in ("", [], {}):
        sent[key] = value


def filled(members: Json) -> Json:
    """Keep what is there."""
    return {key: value for key, value in members.items() if value is not None and value != ""}


def money(amount: Any) -> str | None:
    """Write an amount as JavaScript does."""
    if amount is None or amount == "":
        return None
    number = float(amount)
    return str(int(number)) if number.is_integer() else repr(number)


def parameter(url: str | None, name: str) -> str | None:
    """Find a parameter of an address."""
    if not url or name not in url:
        return None
    before, _, query = url.partition("#")[0].partition("?")
    return parse_qs(query or before).get(name, [None])[0]


def without_personal_data(text: str, p: Json) -> str:
    """Take e-mail addresses and phone numbers out."""
    phone = "".join(filter(str.isdigit, str(p.get("phone") or ""))).lstrip("0")
    return REDACT(text, phones=[phone] if len(phone) >= 7 else ())


def hash_into(sent: Json, wire: str, value: Any, country: str | None = None) -> None:
    """Add the digest of a value."""
    if value and (found := digest(wire, str(value), country)):
        sent[wire] = [found]


@functools.lru_cache(maxsize=8192)
def digest(wire: str, text: str, country: str | None) -> str | None:
    """Normalise and hash."""
    normal, _ = normalise.normalised(text, country, HASHED[wire])
    return normal and normalise.hashed(normal)


def best_of_rounds(lines: list[bytes], run: Callable[[bytes], Made], forget: Callable[[], None]) -> float:
    """Return the microseconds of CPU time an event."""
    best = math.inf
    for _ in range(ROUNDS):
        forget()
        times._seconds_of_other_text.cache_clear()  # noqa: SLF001 - what it remembers would flatter us
        gc.collect()
        start = time.process_time()
        for line in lines:
            run(line)
        best = min(best, time.process_time() - start)
    return best / len(lines) * 1e6


def forget_values(pipeline: Pipeline) -> None:
    """Forget all that was read of people and pages."""
    action: Any = pipeline._router.account("").making.action  # noqa: SLF001 - there is no other reason to forget
    for field in action._read_user_data.fields.values():  # noqa: SLF001
        field.remembered.cache_clear()
        field.known.clear()
    redact = action._personal_data._redact  # noqa: SLF001
    redact.harmless.clear()
    redact.harmless_alone.clear()


def segment() -> list[Json]:
    """Measure Segment's engine; nothing where it is not installed."""
    folder = ROOT / "bench" / "node"
    if not shutil.which("node") or not (folder / "node_modules").is_dir():
        return []
    program = ["node", str(folder / "segment.cjs"), str(ROOT / "tests/conformance/events.ndjson")]
    answer = subprocess.run(
        program, check=True, capture_output=True, text=True, env=os.environ | {"ROUNDS": str(ROUNDS)}
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def main() -> None:
    """Check that all results are equal, measure, print the ratios."""
    lines = source_events.lines_of("clean")
    settings = load_settings(presets_dir=(ROOT / "presets",), mappings_dir=(ROOT / "mappings",))
    catalog = assemble.running_catalog(settings).catalog

    pipeline = assemble.pipeline(settings, catalog)

    def run(line: bytes) -> Made:
        return pipeline.map_event(line, NOW)

    made = size = 0
    for line in lines:
        mine, hand = run(line), by_hand(line)
        assert [(n, orjson.loads(b)) for n, b in mine] == [(n, orjson.loads(b)) for n, b in hand], (mine, hand)
        made, size = made + len(mine), size + sum(len(sent) for _, sent in mine)
    for line in lines * WARM_ROUNDS:
        run(line)
    us = best_of_rounds(lines, run, lambda: forget_values(pipeline))
    hand_us = best_of_rounds(lines, by_hand, digest.cache_clear)
    print(f"{len(lines)} events, {made} deliveries of {size / made:.0f} bytes; equal to those made by hand")
    print(f"ours                 {us:6.1f} us an event")
    print(f"by hand              {hand_us:6.1f} us   ours takes {us / hand_us:.2f} times as long (goal: at most 2)")
    found = segment()
    for row, goal in zip(found, (4, 1.5), strict=bool(found)):
        assert row["deliveries"] == made
        ratio, bytes_each = row["us_per_event"] / us, row["bytes"] / made
        print(
            f"Segment {row['mode']:12} {row['us_per_event']:6.1f} us   it takes {ratio:.2f} times as long as ours"
            f" (goal: at least {goal}), {bytes_each:.0f} bytes a delivery"
        )
    if not found:
        print("Segment's engine is not installed: make bench-node")
    print_sources(pipeline)


def print_sources(pipeline: Pipeline) -> None:
    """Measure the events of sources, by kind."""

    def run(line: bytes) -> Made:
        return pipeline.map_event(line, source_events.NOW)

    kinds = source_events.source_events()
    for line in [line for lines in kinds.values() for line in lines] * WARM_ROUNDS:
        run(line)
    taken = {name: best_of_rounds(lines, run, lambda: forget_values(pipeline)) for name, lines in kinds.items()}
    mean = sum(taken.values()) / len(taken)
    cheapest = min(us for name, us in taken.items() if name.startswith(source_events.ORDER))
    print(f"{mean:.1f} us an event as sources send it, each kind counting alike")
    for name, us in taken.items():
        is_order = name.startswith(source_events.ORDER)
        ratio = f"   {us / cheapest:.2f} times the cheapest order (goal: at most {ORDERS_APART})" if is_order else ""
        print(f"  {name:34} {us:6.1f} us{ratio}")


if __name__ == "__main__":
    main()
