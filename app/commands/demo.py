"""`pinrelay demo`: the whole flow in a single process, with a temporary store."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from app import assemble
from app.catalog import Catalog
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table
from app.config import Settings, load_settings
from app.core.events import Event
from app.main import create_app

#: The time-out for deliveries; the demo reports when it is exceeded.
DEADLINE_S = 30.0
#: The settings that are read from the environment: folders of presets, and the form of sent events.
OBEYED = frozenset(
    {
        "presets_dir",
        "mappings_dir",
        "custom_event_names",
        "default_country",
        "default_currency",
        "external_id_keep_case",
        "partner_name",
        "ldp_states",
        "redacted_parameters",
    }
)


def demo(
    rounds: Annotated[int, typer.Option(min=1, max=200, help="How many times to send each example event.")] = 5,
    *,
    as_json: AsJson = False,
) -> None:
    """Start a server, send the presets' example events to it, and print the result. Nothing leaves this machine.

    Example: pinrelay demo --rounds 20
    """
    with tempfile.TemporaryDirectory(prefix="pinrelay-demo-") as folder:
        settings = demo_settings(Path(folder))
        catalog = assemble.running_catalog(settings).catalog
        arrays = [list(_traffic(catalog, number, time.time())) for number in range(rounds)]
        facts = asyncio.run(_run(settings, arrays))
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    if facts["sandbox"]["received"] != facts["receipt"].get("enqueued", 0):
        raise typer.Exit(1)


def demo_settings(folder: Path) -> Settings:
    """Return the settings of a server that stores everything in `folder` and sends only to its own sandbox.

    Credentials and addresses in the environment are ignored.
    """
    standard = {name: field.get_default() for name, field in Settings.model_fields.items() if name not in OBEYED}
    return load_settings(**(standard | {"outbox_url": f"sqlite:///{folder}/demo.db", "batch_max_wait_s": 0.2}))


def _traffic(catalog: Catalog, number: int, now: float) -> Iterator[Event]:
    """Yield each preset's example with the current time and with new ids for each round."""
    happened = datetime.fromtimestamp(now, UTC).isoformat()
    for preset in catalog.enabled:
        if preset.example:
            properties = dict(preset.example.get("properties", {}))
            if "order_id" in properties:
                properties["order_id"] = f"{preset.name}-{number}"
            message_id = f"demo-{preset.name}-{number}"
            yield {**preset.example, "timestamp": happened, "messageId": message_id, "properties": properties}


async def _run(settings: Settings, arrays: list[list[Event]]) -> dict[str, Any]:
    """Send the arrays to a server in this process, wait until no delivery waits, then read the sandbox."""
    app = create_app(settings, environ={})
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 0))
    receipt: Counter[str] = Counter()
    http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    async with app.router.lifespan_context(app), http:
        for events in arrays:
            receipt.update((await http.post("/webhook", json=events)).raise_for_status().json()["counts"])
        delivery = await _when_nothing_waits(http)
        sandbox = (await http.get("/sandbox/")).raise_for_status().json()
    sent = sum(map(len, arrays))
    return {"events": sent, "receipt": receipt, "sandbox": sandbox, "delivery": delivery}


async def _when_nothing_waits(http: httpx.AsyncClient) -> dict[str, Any]:
    """Return the state of delivery as soon as no delivery waits, or after the time-out."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        delivery: dict[str, Any] = (await http.get("/readyz")).raise_for_status().json()["delivery"]
        if delivery["pending"] + delivery["claimed"] == 0 or time.monotonic() > deadline:
            return delivery
        await asyncio.sleep(0.05)


def _print(facts: dict[str, Any]) -> None:
    table = Table("step", "result", title="pinrelay demo")
    add_row(table, "sent", f"{facts['events']} events to /webhook, one array per round")
    add_row(table, "receipt", ", ".join(f"{name} {count}" for name, count in facts["receipt"].items()))
    add_row(table, "sandbox", f"{facts['sandbox']['received']} events in {facts['sandbox']['calls']} calls")
    names = facts["sandbox"]["by_event_name"]
    add_row(table, "event names", ", ".join(f"{name} {count}" for name, count in names.items()))
    add_row(table, "left over", f"pending {facts['delivery']['pending']}, dead {facts['delivery']['dead']}")
    print_table(table)
    print_line("Next: `make run`, then open http://127.0.0.1:8080/console")
