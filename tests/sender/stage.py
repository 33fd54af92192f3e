"""A stage for workers: a real outbox, the real sandbox behind a socket, and what was seen on the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from app.core.coordination import Switches
from app.core.deliveries import Delivery, NewDelivery, Settlement, State
from app.core.pages import Query
from app.core.shared_values import ClockJump, Trouble
from app.destination import redact
from app.destination.client import PinterestClient
from app.outbox import Outbox, open_outbox
from app.sandbox import Account, create_sandbox
from app.sender.clocks import Clocks
from app.sender.consent import ConsentCheck
from app.sender.context import CallReport, Dependencies
from app.sender.worker import Worker
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store
from tests.process import PLAIN
from tests.sandbox.events import pinterest_event
from tests.sandbox.serving import serving
from tests.sender.claims import a_policy
from tests.waiting import until_async

ACCOUNT = "42"
TOKEN = "pina_test_token"
RULES = outbox_rules()
#: The default policy, in a hurry.
QUICK = {"batch_max_wait_s": 0, "retry_base_s": 0.01, "retry_max_pause_s": 0.1, "retry_max_attempts": 1_000}


@dataclass(kw_only=True)
class Stage:
    """One outbox and one sandbox; as many workers as a test starts."""

    outbox: Outbox
    sandbox: httpx.AsyncClient
    url: str
    switches: Switches = field(default_factory=Switches)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    #: Read anew for every call.
    token: str = TOKEN
    calls: list[CallReport] = field(default_factory=list)
    settled_without_a_call: list[Settlement] = field(default_factory=list)
    #: Each change of the trouble with Pinterest, by the state before and after; None is none.
    troubles: list[tuple[str | None, str | None]] = field(default_factory=list)
    jumps: list[ClockJump] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    #: Asks for what people said when deliveries are claimed.
    consents: ConsentCheck | None = None

    def _wall(self) -> float:
        return self.clock()  # which a test may change while a worker runs

    def _steady(self) -> float:
        return self.monotonic()

    def _note_trouble(self, before: Trouble | None, after: Trouble | None) -> None:
        self.troubles.append((before.state if before else None, after.state if after else None))

    async def enqueue(
        self, *event_ids: str, preset: str = "Checkout", action_source: str = "web", is_final: bool = False
    ) -> None:
        """Commit one delivery an id."""
        deliveries = [_delivery(event_id, preset, action_source) for event_id in event_ids]
        await self.outbox.enqueue(deliveries, [], [], now=self.clock(), is_final=is_final)

    @asynccontextmanager
    async def worker(self, outbox: Any = None, **policy: Any) -> AsyncIterator[Worker]:
        """Run a worker, with `outbox` in place of the stage's own; it is stopped at the end."""
        client = PinterestClient(
            api_url=f"{self.url}/v5",
            ad_account_id=ACCOUNT,
            token=lambda: SecretStr(self.token),
            timeout_s=policy.get("send_timeout_s", 30),
        )
        worker = Worker(
            outbox or self.outbox,
            client,
            a_policy(**(QUICK | policy)),
            ad_account_id=ACCOUNT,
            surroundings=Dependencies(
                clocks=Clocks(self._wall, self._steady),
                rng=Random(7),
                switches=lambda: self.switches,
                redact=redact,
                on_call=self.calls.append,
                on_settled_unsent=lambda settlements, _: self.settled_without_a_call.extend(settlements),
                on_trouble=self._note_trouble,
                on_jump=self.jumps.append,
                on_error=self.errors.append,
                consents=self.consents,
            ),
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            try:
                await running
            finally:
                await client.close()

    async def script(self, *steps: dict[str, Any], seed: int = 7) -> None:
        """Make the sandbox misbehave."""
        (await self.sandbox.put("/script", json={"steps": steps, "seed": seed})).raise_for_status()

    async def settled(self, *, deadline_s: float = 10) -> None:
        """Wait until nothing is pending or claimed."""

        async def nothing_waits() -> bool:
            backlog = await self.outbox.backlog(ACCOUNT, now=self.clock())
            return backlog.pending == backlog.claimed == 0

        await until_async(nothing_waits, deadline_s, "all deliveries to be settled")

    async def called(self, count: int, *, deadline_s: float = 10) -> None:
        """Wait until so many calls were made and recorded."""

        async def made() -> bool:
            return len(self.calls) >= count

        await until_async(made, deadline_s, f"{count} calls")

    async def state(self) -> dict[str, Any]:
        """Answer the sandbox's counts."""
        state: dict[str, Any] = (await self.sandbox.get("/")).json()
        return state

    async def deliveries(self, state: State | None = None) -> list[Delivery]:
        """List the deliveries in the outbox, without history."""
        found: list[Delivery] = []
        cursor = None
        while True:
            page = await self.outbox.search(Query(state=state), limit=1_000, cursor=cursor)
            found += page.deliveries
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def one(self) -> Delivery:
        """Show the only delivery, with its history."""
        (found,) = await self.deliveries()
        shown = await self.outbox.delivery(found.delivery_id)
        assert shown is not None
        return shown


def _delivery(event_id: str, preset: str, action_source: str) -> NewDelivery:
    event = pinterest_event(event_id=event_id, action_source=action_source)
    return NewDelivery(
        ad_account_id=ACCOUNT,
        preset=preset,
        message_id=event_id,
        event_name=event["event_name"],
        event_id=event_id,
        action_source=action_source,
        order_id=None,
        event_time=event["event_time"],
        payload=orjson.dumps(event),
        warnings=(),
        quality=(),
    )


@asynccontextmanager
async def a_stage(
    folder: Path, *, outbox_url: str | None = None, max_body_bytes: int = 16_000_000
) -> AsyncIterator[Stage]:
    """Open the outbox of `outbox_url`, by default an empty SQLite outbox in the folder, and a sandbox; close both."""
    app = create_sandbox(account=Account(ad_account_id=ACCOUNT, token=SecretStr(TOKEN)), max_body_bytes=max_body_bytes)
    outbox = open_outbox(outbox_url or new_store(folder), RULES)
    try:
        async with serving(app) as url, httpx.AsyncClient(base_url=url, **PLAIN) as sandbox:
            yield Stage(outbox=outbox, sandbox=sandbox, url=url)
    finally:
        await outbox.close()


def ids(prefix: str, count: int) -> Sequence[str]:
    """Return `prefix-0`, `prefix-1`, ..."""
    return [f"{prefix}-{place}" for place in range(count)]
