"""What Pinterest says, read from the sandbox: each request and each answer is held against Pinterest's description."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.insights.reports.ads_client import AdsClient, AdsToken, FixedToken, RotatingToken
from app.insights.reports.hourly_reading import HourlyReading
from app.outbox import Outbox, open_outbox
from app.outbox.sealed_events import Sealer
from app.sandbox import Account, create_sandbox
from tests.insights.reports.reading_schema import ReadingSchema
from tests.outbox.build import rules
from tests.outbox.new_store import new_store

NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
ACCOUNT = "549755885175"
FIRST = SecretStr("pinr_first")


class Strict(httpx.ASGITransport):
    """Calls the sandbox, and keeps what Pinterest's description has against it."""

    def __init__(self, app: Any, schema: ReadingSchema) -> None:
        super().__init__(app)
        self._schema = schema
        self.faults: list[str] = []
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        self.paths.append(request.url.path)
        self.faults += self._schema.faults(request, response)
        return response


@dataclass
class Read:
    """A reader of the sandbox' figures over a store of its own."""

    outbox: Outbox
    folder: Path
    schema: ReadingSchema
    now: float = NOW
    troubles: list[tuple[str, str]] = field(default_factory=list)
    calls: list[Strict] = field(default_factory=list)

    def against(self, **account: Any) -> AdsClient:
        """Return a client of a new sandbox."""
        app = create_sandbox(account=Account(ad_account_id=ACCOUNT, **account), clock=lambda: self.now)
        return self.client(app)

    def client(self, app: Any) -> AdsClient:
        self.calls.append(Strict(app, self.schema))
        return AdsClient(api_url="http://sandbox/v5", timeout_s=5, transport=self.calls[-1])

    def renewing(self, client: AdsClient, *, key: str = "k" * 32, first: SecretStr = FIRST) -> RotatingToken:
        sealer = Sealer(key, about="reports")
        return RotatingToken(self.outbox, client, sealer, client_id="app", client_secret=SecretStr("s"), first=first)

    def reading(self, client: AdsClient, token: AdsToken | None = None, **changes: Any) -> HourlyReading:
        standard: dict[str, Any] = {
            "ad_account_ids": [ACCOUNT],
            "event_names": ("quiz_done",),
            "on_error": lambda _: None,
        }
        return HourlyReading(
            self.outbox,
            client,
            token or FixedToken(SecretStr("pina")),
            clock=lambda: self.now,
            on_trouble=lambda account, why: self.troubles.append((account, why)),
            **(standard | changes),
        )


@pytest.fixture
async def read(tmp_path: Path) -> AsyncIterator[Read]:
    outbox = open_outbox(new_store(tmp_path, "pinrelay.db"), rules(), clock=lambda: NOW)
    found = Read(outbox, tmp_path, ReadingSchema())
    yield found
    await outbox.close()
    assert [fault for call in found.calls for fault in call.faults] == []
