"""A shop whose page and webhook send events, and what becomes of them."""

import time
from typing import Any

import orjson

from app import assemble
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.core.deliveries import Claimed, Delivered, Settlement, State
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Pipeline
from app.sender.consent import ConsentCheck, consent_check
from app.source import Arrival, Intake, read_event
from tests import assembled
from tests.identity.journeys import SETTINGS as MEMORY

#: On 3 November 2026.
NOW = 1_793_700_000.0
SAID = "the person opted out on 3 November, in the browser"
ACCOUNT = SANDBOX_AD_ACCOUNT_ID
ADA = {"email": "ada@example.com"}
REFUSED: dict[str, Any] = {"context": {"consent": {"categoryPreferences": {"ads": False}}}}
GRANTED: dict[str, Any] = {"context": {"consent": {"categoryPreferences": {"ads": True}}}}
OPTED_OUT: dict[str, Any] = {"properties": {"opt_out": True}}
OPTED_IN: dict[str, Any] = {"properties": {"opt_out": False}}
GPC = {"context": {"gpc": True}}
#: A page's key and a shop's, so that the two sides of an order wait for each other.
PAIRED: dict[str, Any] = {
    "write_keys": ("page:0123456789abcdef", "shop:0123456789abcdea"),
    "trusted_senders": ("shop",),
}
DENIED = {"context": {"device": {"attTrackingStatus": 2}}}


class Shop:
    """A shop with a page, whose key is public, and a webhook, which is trusted."""

    def __init__(self, outbox: Outbox, pipeline: Pipeline, check: ConsentCheck | None) -> None:
        self.outbox, self.pipeline, self.check = outbox, pipeline, check
        self.count = 0
        self.at = NOW

    async def send(self, *events: dict[str, Any], trusted: bool = False) -> list[tuple[str, str]]:
        """The outcomes of some events, with their reasons."""
        read = []
        for given in events:
            self.count += 1
            self.at += 1
            event = {"messageId": f"m{self.count}", "type": "page", **given}
            context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", **event.pop("context", {})}
            read.append(read_event({"timestamp": self.at, **event, "context": context}, Arrival.at(self.at)))
        source = "shop" if trusted else "page"
        receipt = await self.pipeline.accept(Intake(read, now=self.at, source=source, is_trusted=trusted))
        return [(line.outcome.value, line.reason) for event in receipt.events for line in event.deliveries]

    async def orders(self) -> list[str]:
        """The orders that are delivered now, by their ids."""
        return [each["custom_data"]["order_id"] for each in await self.delivered()]

    async def delivered(self) -> list[dict[str, Any]]:
        """The orders that are delivered now."""
        claimed = await self.claimed()
        delivered = [Settlement(claimed=each, result=Delivered(), state=State.DELIVERED) for each in claimed]
        await self.outbox.settle(delivered, [], now=self.at)
        return [orjson.loads(each.payload) for each in claimed if each.event_name == "checkout"]

    async def sent(self) -> list[dict[str, Any]]:
        """What would be sent now."""
        return [orjson.loads(each.payload) for each in await self.claimed()]

    async def claimed(self) -> list[Claimed]:
        claimed = await self.outbox.claim(ACCOUNT, limit=1_000, max_bytes=10**9, max_wait_s=0, lease_s=60, now=self.at)
        if self.check is not None:
            claimed = await self.check.passed(claimed, now=self.at)
        return claimed


def order(number: Any = 1, *, total: Any = 20, token: Any = None, way: Any = None, **given: Any) -> dict[str, Any]:
    """An order of somebody."""
    properties = {
        "order_id": f"o{number}",
        "total": total,
        "currency": "USD",
        "checkout_token": token,
        "source_name": way,
    }
    return {"type": "track", "event": "Order Completed", "properties": properties, **given}


async def opened(url: str, *, memory: bool = False, **changes: Any) -> Shop:
    settings = assembled.settings(
        **{"consent_categories": ("ads",), "outbox_url": url, **changes},
        **(MEMORY if memory else {}),
    )
    outbox = open_outbox(url, settings, clock=lambda: NOW)
    pipeline = assemble.pipeline(settings, assembled.shipped_catalog(), outbox=outbox)
    check = consent_check(outbox, settings, time.monotonic)
    return Shop(outbox, pipeline, check)
