"""Builders of complete, valid records: a test says only what differs."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import SecretStr

from app.config.settings import OutboxSettings, RetentionDays
from app.core.deliveries import (
    Blocked,
    CallResult,
    Claimed,
    Delivered,
    Delivery,
    Enqueued,
    NewDelivery,
    Rejected,
    Retry,
    Seen,
    Settlement,
    State,
)
from app.core.events import CounterRow, DroppedEvent
from app.core.pages import AuditAction, AuditEntry
from app.core.people import OptOut, Suppression
from app.outbox import Outbox
from tests.limited import split_limits

#: A moment at the start of an hour, from which the tests count.
NOW = 1_800_000_000.0
ACCOUNT = "549764106778"
HOUR_S = 3_600.0
DAY_S = 86_400.0

_counter = itertools.count(1)


#: What tests say in seconds, and the setting that says it in longer units.
_IN_UNITS = {
    "dedup_window_s": ("dedup_window_hours", HOUR_S),
    "remember_s": ("remember_days", DAY_S),
}
#: Retention that tests state in seconds, and its name in RETENTION_DAYS.
_RETENTION = {
    "ledger_delivered_s": "delivered",
    "ledger_s": "other",
    "audit_s": "audit",
    "payload_s": "payload",
    "remember_click_s": "click",
}


def rules(**changes: Any) -> OutboxSettings:
    """Return settings of an outbox: the default ones with these changes. The environment is not read.

    `room_for` limits the backlog to so many deliveries of `new`.
    """
    standard: dict[str, Any] = {
        "dedup_window_s": DAY_S,
        "outbox_max_backlog_bytes": 10**10,
        "remember_click_s": 0,
        "remember_max_people": 0,
        "remember_secret": SecretStr("secret-of-the-memory-of-the-tests"),
    }
    if "room_for" in changes:
        changes["outbox_max_backlog_bytes"] = changes.pop("room_for") * len(payload())
    given = standard | changes
    in_units = {_IN_UNITS[name][0]: given.pop(name) / _IN_UNITS[name][1] for name in _IN_UNITS.keys() & given.keys()}
    days = {name: given.pop(key) / DAY_S for key, name in _RETENTION.items() if key in given}
    given["retention_days"] = RetentionDays.model_construct(**days)
    own, limits = split_limits(given)
    return OutboxSettings.model_construct(**own, **in_units).with_limits(**limits)


def new(**changes: Any) -> NewDelivery:
    """A delivery that no other is like; a change of `order_id` makes it a checkout of that order."""
    number = next(_counter)
    standard: dict[str, Any] = {
        "ad_account_id": ACCOUNT,
        "preset": "checkout",
        "name": "Order Completed",
        "message_id": f"message-{number}",
        "event_name": "checkout",
        "event_id": f"event-{number}",
        "action_source": "web",
        "order_id": None,
        "event_time": int(NOW) - 10,
        "payload": payload(),
        "warnings": (),
        "quality": (),
    }
    return NewDelivery(**(standard | changes))


def marked(at: float | None, *, is_trusted: bool = True) -> str | None:
    """The mark of an id of which an opt-out was said at this time, as the store keeps it; None where none was."""
    no = OptOut(at=at or 0, by=("a",), is_trusted=is_trusted, for_trusted=is_trusted)
    return None if at is None else msgspec.json.encode(Suppression(opt_outs=(no,))).decode()


def payload(**user_data: Any) -> bytes:
    """A finished event whose `user_data` has these fields beside a hashed e-mail."""
    return json.dumps({"event_name": "checkout", "user_data": {"em": ["0" * 64], **user_data}}).encode()


@dataclass(frozen=True, slots=True)
class At:
    """An outbox at a moment: the everyday calls, with the arguments that a test does not care about filled in."""

    outbox: Outbox
    now: float = NOW

    def later(self, seconds: float) -> "At":
        """The same outbox, `seconds` later."""
        return At(self.outbox, self.now + seconds)

    async def enqueue(
        self, *deliveries: NewDelivery, dropped: tuple[DroppedEvent, ...] = (), counters: tuple[CounterRow, ...] = ()
    ) -> list[Enqueued]:
        return await self.outbox.enqueue(deliveries, dropped, counters, now=self.now)

    async def seen(self, *deliveries: NewDelivery) -> list[Seen | None]:
        return await self.outbox.seen(deliveries, now=self.now)

    async def claim(self, limit: int = 1_000, **changes: Any) -> list[Claimed]:
        standard = {"max_bytes": 10**9, "max_wait_s": 0, "lease_s": 60}
        return await self.outbox.claim(ACCOUNT, limit=limit, now=self.now, **(standard | changes))

    async def settle(self, *settlements: Settlement, counters: tuple[CounterRow, ...] = ()) -> None:
        await self.outbox.settle(settlements, counters, now=self.now)

    async def deliver(self, *claimed: Claimed) -> None:
        await self.settle(*map(delivered, claimed))

    async def kill(self, *claimed: Claimed, reason: str = "em is malformed") -> None:
        await self.settle(*(dead(each, reason) for each in claimed))

    async def dead_letter(self, delivery: NewDelivery, reason: str = "em is malformed") -> str:
        """Enqueue a delivery and let it die; its id."""
        await self.enqueue(delivery)
        (claimed,) = [each for each in await self.claim() if each.message_id == delivery.message_id]
        await self.kill(claimed, reason=reason)
        return claimed.delivery_id

    async def delivery(self, delivery_id: str) -> Delivery:
        """The delivery of this id, which is in the outbox."""
        delivery = await self.outbox.delivery(delivery_id)
        assert delivery is not None
        return delivery

    async def only_delivery(self, message_id: str) -> Delivery:
        """The one delivery that the event of this message id brought."""
        (delivery,) = (await self.outbox.message(message_id)).deliveries
        return delivery

    async def retain_all(self, limit: int = 100) -> None:
        """Take every step of retention that is due, each of so many rows at most."""
        while step := await self.outbox.retain(now=self.now, limit=limit):
            assert step <= limit

    async def be_idle(self) -> None:
        """Claim all that is due, and look at everything that has happened so far."""
        while await self.claim():
            pass
        await self.outbox.wait(ACCOUNT, 0)
        await self.outbox.wait(ACCOUNT, 0)


def audited(**changes: Any) -> AuditEntry:
    """A line of the audit log."""
    standard: dict[str, Any] = {
        "at": NOW,
        "who": "ada",
        "place": "192.0.2.7",
        "what": AuditAction.SWITCH,
        "target": "Lead",
        "before": "on",
        "after": "off",
    }
    return AuditEntry(**(standard | changes))


def settlement(claimed: Claimed, result: CallResult, state: State, **changes: Any) -> Settlement:
    """A settlement of any kind."""
    return Settlement(claimed=claimed, result=result, state=state, **changes)  # type: ignore[arg-type] # CLAIMED fits not


def delivered(claimed: Claimed, warning: str = "") -> Settlement:
    """Pinterest took it."""
    return settlement(claimed, Delivered(warning=warning), State.DELIVERED)


def dead(claimed: Claimed, reason: str = "em is malformed") -> Settlement:
    """Pinterest will never take it."""
    return settlement(claimed, Rejected(reason=reason, status=422), State.DEAD)


def retry(claimed: Claimed, due_at: float, reason: str = "503") -> Settlement:
    """It is tried again at `due_at`."""
    return settlement(claimed, Retry(reason=reason, status=503), State.PENDING, due_at=due_at)


def given_back(claimed: Claimed, due_at: float) -> Settlement:
    """Nothing was tried."""
    return settlement(claimed, Retry(reason="shutdown", tried=False), State.PENDING, due_at=due_at, give_back=True)


def blocked(claimed: Claimed, due_at: float) -> Settlement:
    """The destination is refused; the attempt does not count."""
    return settlement(
        claimed, Blocked(reason="token expired", status=401), State.PENDING, due_at=due_at, give_back=True
    )
