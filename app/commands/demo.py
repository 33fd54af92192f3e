"""`pinrelay demo`: the whole flow in one process, in a store of its own that is gone afterwards."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import orjson
import typer
from rich.console import Console
from rich.table import Table

from app import assemble
from app.catalog import Catalog
from app.config import Settings, load_settings
from app.main import create_app
from app.types import Event

#: To deliver what was sent; the demo says so where it takes longer.
DEADLINE_S = 30.0


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(demo)


def demo(
    rounds: Annotated[int, typer.Option(min=1, max=200, help="How often each example event is sent.")] = 5,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start everything, send the presets' example events, and print what happened. Nothing leaves this machine.

    Example: pinrelay demo --rounds 20
    """
    with tempfile.TemporaryDirectory(prefix="pinrelay-demo-") as folder:
        settings = load_settings(
            outbox_url=f"sqlite:///{folder}/demo.db",
            pinterest_ad_account_id=None,
            pinterest_conversion_token=None,
            batch_max_wait_s=0.2,
        )
        catalog = assemble.running_catalog(settings).catalog
        facts = asyncio.run(_run(settings, list(_traffic(catalog, rounds, time.time()))))
    if as_json:
        typer.echo(orjson.dumps(facts).decode())
    else:
        _print(facts)
    if facts["sandbox"]["received"] != facts["receipt"].get("enqueued", 0):
        raise typer.Exit(1)


def _traffic(catalog: Catalog, rounds: int, now: float) -> Iterator[Event]:
    """Yield each preset's example, as if it happened now, again and again with ids of its own."""
    happened = datetime.fromtimestamp(now, UTC).isoformat()
    for number in range(rounds):
        for preset in catalog.enabled:
            if preset.example:
                properties = dict(preset.example.get("properties", {}))
                if "order_id" in properties:
                    properties["order_id"] = f"{preset.name}-{number}"
                message_id = f"demo-{preset.name}-{number}"
                yield {**preset.example, "timestamp": happened, "messageId": message_id, "properties": properties}


async def _run(settings: Settings, events: list[Event]) -> dict[str, Any]:
    """Send the events to a server in this process; wait until the sandbox has them."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 0))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        headers = _proof(settings)
        receipt = (await http.post("/webhook", json=events, headers=headers)).json()
        deadline = time.monotonic() + DEADLINE_S
        while True:
            sandbox = (await http.get("/sandbox/")).json()
            ready = (await http.get("/readyz")).json()["delivery"]
            if ready["pending"] + ready["claimed"] == 0 or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
    return {"events": len(events), "receipt": receipt["counts"], "sandbox": sandbox, "delivery": ready}


def _proof(settings: Settings) -> dict[str, str]:
    """Send the secret header where the settings ask for one."""
    if settings.webhook_header is None:
        return {}
    name, _, value = settings.webhook_header.get_secret_value().partition(":")
    return {name.strip(): value.strip()}


def _print(facts: dict[str, Any]) -> None:
    out = Console()
    table = Table("step", "what happened", title="pinrelay demo")
    table.add_row("sent", f"{facts['events']} events to /webhook in one array")
    table.add_row("receipt", ", ".join(f"{name} {count}" for name, count in facts["receipt"].items()))
    table.add_row("sandbox", f"{facts['sandbox']['received']} events in {facts['sandbox']['calls']} calls")
    names = facts["sandbox"]["by_event_name"]
    table.add_row("event names", ", ".join(f"{name} {count}" for name, count in names.items()))
    table.add_row("left over", f"pending {facts['delivery']['pending']}, dead {facts['delivery']['dead']}")
    out.print(table)
    out.print("Next: `make run`, then open http://127.0.0.1:8080/console")
