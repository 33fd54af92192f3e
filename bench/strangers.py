"""What one request of a viewer or of a public key costs at most: CPU time, and the longest step of the event loop.

    python bench/strangers.py [--rounds 3] [--inventory 500]

The whole application answers in this process, with the shipped presets, a SQLite outbox, and an inventory that is full
of long public names. Each row sends up to 1 MB of the kind that costs most: long names, many names, deep or wide
values, regular expressions, Liquid. Printed are the status, the CPU time of the process, and the longest time that the
event loop spent in one step (the least of the rounds). Goals: MOST_CPU_S and MOST_STEP_S.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from asyncio.events import Handle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import httpx
import orjson

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from app.main import create_app
from app.trigger.parser import MAX_FUNCTION_CALLS
from tests import assembled
from tests.outbox.new_store import new_store
from tests.process import ROOT

MOST_CPU_S: Final = 0.3
MOST_STEP_S: Final = 0.02
#: Of an event: what no door takes, and what a webhook and the event tester take.
MOST_BYTES: Final = 900_000
LESS_BYTES: Final = 240_000
#: An URL may be so long.
URL_SIZE: Final = 50_000
KEY: Final = "page:0123456789abcdef"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1"}
PLAIN_JSON: Final = {"Content-Type": "application/json"}
JSON: Final = {"Content-Type": "application/json", "Authorization": "Basic MDEyMzQ1Njc4OWFiY2RlZjo="}
#: The file that a draft stands for.
FILE: Final = str(ROOT / "presets/order_completed.yaml")
PRESET: Final = """name: Order Completed
subscribe: {subscribe}
action: report_conversion_event
mapping:
  event_name: checkout
  custom_data: {{order_id: {order_id}}}
"""
#: Whoever may look or send reaches them by a GET; each is asked with a long parameter.
PAGES: Final = (
    "/console/?days={}",
    "/console/activity?who={}",
    "/console/deliveries?reason={}",
    "/console/deliveries?name={}",
    "/console/delivery?id={}",
    "/console/message?id={}",
    "/console/order/{}",
    "/console/deliveries/redrive?reason={}",
    "/console/tester?example={}",
    "/console/tester?type=track&name={}",
    "/console/tester?type=track&name={}&source=default",
    "/console/quarantine?name={}",
    "/console/people?whom={}",
    "/console/inventory?source={}",
    "/console/inventory/name?type=track&name={}",
    "/console/quality?preset={}",
    "/console/pinterest?account={}",
    "/console/tag-check?days={}",
    "/console/revenue?source={}",
    "/console/mappings?name={}",
    "/console/preset?name={}",
    "/console/versions?file={}",
    "/api/v1/deliveries?reason={}",
    "/api/v1/events/not-sent?warning={}",
    "/api/v1/deliveries/{}",
    "/api/v1/messages/{}",
    "/api/v1/events/properties?name={}",
    "/api/v1/orders/revenue?source={}",
    "/api/v1/events/counts?preset={}",
    "/api/v1/status?x={}",
    "/v1/pixel/track?data={}",
    "/readyz?x={}",
)


class Row(NamedTuple):
    """One request."""

    what: str
    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


def nested(depth: int) -> bytes:
    """Return an order whose properties are so deep."""
    return b'{"type":"track","event":"Order Completed","properties":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)


def events(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield kinds of events, each as JSON of about `size` bytes."""
    base: dict[str, Any] = {"type": "track", "messageId": "m"}
    context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0"}
    order = base | {"event": "Order Completed", "context": context}

    def of_person(**traits: Any) -> dict[str, Any]:
        return order | {"context": context | {"traits": traits}}

    def with_properties(**properties: Any) -> dict[str, Any]:
        return order | {"properties": properties}

    kinds: dict[str, Any] = {
        "one word as name": base | {"event": "a" * size},
        "many words as name": base | {"event": "aB1 " * (size // 4)},
        "capitals as name": base | {"event": "A" * size},
        "many properties": with_properties(**{f"p{number}": number for number in range(size // 14)}),
        "many properties, no preset": base | {"event": "x", "properties": {f"p{n}": n for n in range(size // 14)}},
        "many products": with_properties(products=[{"product_id": number} for number in range(size // 22)]),
        "many addresses": of_person(email=["a@b.cd"] * (size // 9)),
        "a long URL": with_properties(url="https://a.b/?" + "a=b&" * (size // 4)),
        "a long e-mail address": of_person(email="a." * (size // 2) + "@b.cd"),
        "a long user agent": order | {"context": {"ip": "203.0.113.9", "userAgent": "(;)" * (size // 3)}},
        "a long order id": with_properties(order_id="1" * size),
        "many digits": with_properties(total="9" * size),
        "a long time": order | {"timestamp": "2026-01-01T" + "0" * size},
        "a long text": base | {"event": "Products Searched", "properties": {"query": "a@b.c +49 30 1 " * (size // 15)}},
        "a long phone number": of_person(phone="+49 30 " * (size // 7)),
        "a long name": of_person(firstName="e " * (size // 2)),
        "a long city": of_person(address={"city": "St. " * (size // 4)}),
        "a long currency": with_properties(currency="EUR " * (size // 4)),
        "a long id": order | {"messageId": "m" * size},
    }
    for what, event in kinds.items():
        yield f"{what}, {size // 1_000} kB", orjson.dumps(event)
    for depth in (200, 900, size // 6):
        yield f"depth of {depth}", nested(depth)


def drafts() -> Iterator[tuple[str, str]]:
    """Yield texts of presets that a viewer may try in the event tester: as much as each limit allows, and too much."""
    path = "{'@path': $.properties.order_id}"
    order = 'event = "Order Completed"'
    bodies = {
        "appends": "| append: properties.text ",
        "replaces": "| replace: 'a', 'bb' | replace: 'b', 'cc' | replace: 'c', 'a' ",
        "splits": "| split: '' | join: ',' ",
        "case": "| upcase | downcase ",
        "escapes": "| escape | url_encode ",
    }
    for what, part in bodies.items():
        template = "{{ properties.text " + part * ((980 - 20) // len(part)) + "}}"
        liquid = "{'@liquid': " + orjson.dumps(template).decode() + "}"
        yield f"Liquid, {what}", PRESET.format(subscribe=order, order_id=liquid)
    loops = "{% for a in (1..1000) %}{% for b in (1..1000) %}{{ a }}{% endfor %}{% endfor %}"
    yield "Liquid, loops", PRESET.format(subscribe=order, order_id=f"{{'@liquid': {loops!r}}}")
    longest = 60_000
    triggers = {
        "deep": "(" * 50 + order + ")" * 50,
        "too deep": "(" * 1_000 + order + ")" * 1_000,
        "conditions": " or ".join(f'event = "x{number}"' for number in range(longest // 20)),
        "matches": " or ".join(f'match(properties.text, "{"*a" * 50}{n}")' for n in range(longest // 140)),
        "contains": " or ".join(f'contains(properties.text, "aab{n}")' for n in range(MAX_FUNCTION_CALLS)),
        "too many contains": " or ".join(f'contains(properties.text, "aab{n}")' for n in range(longest // 42)),
    }
    for what, trigger in triggers.items():
        yield f"trigger, {what}", PRESET.format(subscribe=orjson.dumps(trigger).decode(), order_id=path)
    for pattern in ("(a+)+$", "(a|a)*c", "a*a*a*a*a*a*c", "(?:a{1,1000}){1,1000}c"):
        replace = f"{{'@replace': {{pattern: {pattern!r}, replacement: '', value: {{'@path': $.properties.text}}}}}}"
        yield f"pattern {pattern}", PRESET.format(subscribe=order, order_id=replace)
    for steps in (".a" * 1_000, "..a" * 3_000, "[*]" * 500, "[?(@.a)]" * 100):
        yield f"path ${steps[:12]}...", PRESET.format(subscribe=order, order_id=f"{{'@path': '${steps}'}}")
    yield "YAML of 240 kB", "name: [" + "a, " * 80_000 + "]"
    yield "YAML, deep", "name: " + "[" * 100_000
    yield "YAML, aliases", "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9_000))
    yield (
        "YAML, aliases of aliases",
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 99)),
    )


def rows() -> Iterator[Row]:
    """Yield all requests."""
    for path in PAGES:
        yield Row(f"GET, {URL_SIZE // 1000} kB", "GET", path.format("aB1." * (URL_SIZE // 4)))
    for what, event in [*events(MOST_BYTES), *events(LESS_BYTES)]:
        yield Row(what, "POST", "/console/tester", urlencode({"event": event.decode()}).encode(), FORM)
        yield Row(what, "POST", "/v1/track", event, JSON)
        yield Row(what, "POST", "/v1/batch", b'{"batch":[' + event + b"]}", JSON)
    small = b'{"type":"track","event":"a%d","messageId":"m%d"}'
    many = b",".join(small % (n, n) for n in range(9_000))
    yield Row("9,000 events", "POST", "/console/tester", b"event=" + quote_plus(b"[" + many + b"]").encode(), FORM)
    event = orjson.dumps({"type": "track", "event": "Order Completed", "properties": {"text": "a" * 100_000 + "b"}})
    for what, text in drafts():
        fields = {"event": event.decode(), "draft_file": FILE, "draft_of": FILE, "draft_text": text}
        yield Row(what, "POST", "/console/tester", urlencode(fields).encode(), FORM)
    for path, name in (("/console/find", "text"), ("/console/people", "whom")):
        for what, text in (("a text of 900 kB", "a" * 900_000), ("900 fields", "x&" * 400_000)):
            yield Row(what, "POST", path, f"{name}={text}".encode(), FORM)
    yield Row(
        "a text of 900 kB",
        "POST",
        "/api/v1/find",
        orjson.dumps({"text": "a@" * 450_000}),
        {"Content-Type": "application/json"},
    )
    yield Row(
        "a reason of 900 kB",
        "POST",
        "/api/v1/quarantine/preview",
        orjson.dumps({"reason": "a" * 900_000}),
        {"Content-Type": "application/json"},
    )


class Steps:
    """The longest step of the event loop, in CPU seconds of its thread."""

    def __init__(self) -> None:
        self.longest = 0.0

    def watch(self) -> None:
        """Measure each callback from now on."""
        handle: Any = Handle
        run = handle._run  # noqa: SLF001 - the one place where every callback of the loop begins

        def measured(self: Handle) -> None:
            began = time.thread_time()
            run(self)
            steps.longest = max(steps.longest, time.thread_time() - began)

        steps, handle._run = self, measured  # noqa: SLF001


async def measure(client: httpx.AsyncClient, row: Row, steps: Steps, rounds: int) -> tuple[int, float, float]:
    """Return the status, the CPU seconds, and the longest step of a request."""
    found = []
    for _ in range(rounds):
        request = client.build_request(row.method, row.path, content=row.content or None, headers=row.headers)
        steps.longest, began = 0.0, time.process_time()
        answer = await client.send(request)
        found.append((answer.status_code, time.process_time() - began, steps.longest))
    return found[0][0], min(cpu for _, cpu, _ in found), min(step for _, _, step in found)


async def fill(client: httpx.AsyncClient, names: int) -> None:
    """Let a public key send long names of its own, as many as 40 for each that the inventory keeps."""
    for first in range(0, 40 * names, 200):
        batch = [
            {"type": "track", "event": f"{'Order Completed ' * 6}{number}", "messageId": f"i{number}"}
            for number in range(first, first + 200)
        ]
        (await client.post("/v1/batch", content=orjson.dumps({"batch": batch}), headers=JSON)).raise_for_status()


async def bench(rounds: int, names: int) -> bool:
    """Print all rows, and return whether each is within the goals."""
    with tempfile.TemporaryDirectory() as folder:
        settings = assembled.settings(
            outbox_url=new_store(Path(folder), "bench.db"), write_keys=(KEY,), inventory_names=names
        )
        app = create_app(settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=600) as client,
        ):
            await fill(client, names)
            await asyncio.sleep(2)  # the inventory is written
            steps, is_good = Steps(), True
            steps.watch()
            print("status     CPU    step  request")
            for row in rows():
                status, cpu, step = await measure(client, row, steps, rounds)
                is_over = cpu > MOST_CPU_S or step > MOST_STEP_S or status >= 500
                is_good = is_good and not is_over
                path = row.path if len(row.path) < 60 else f"{row.path[:57]}..."
                line = f"{status:6} {cpu * 1e3:4.0f} ms {step * 1e3:4.0f} ms  {row.method} {path}: {row.what}"
                print(line + ("  TOO MUCH" if is_over else ""), flush=True)
    return is_good


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="What one request of a viewer or of a public key costs at most.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inventory", type=int, default=500, help="as INVENTORY_NAMES")
    given = parser.parse_args()
    if not asyncio.run(bench(given.rounds, given.inventory)):
        sys.exit("one request costs more than the goal")


if __name__ == "__main__":
    main()
