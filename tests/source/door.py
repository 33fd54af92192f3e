"""A real application around the routers, and the smallest thing that keeps events."""

import sys
from importlib import import_module
from typing import Any

import httpx
from fastapi import FastAPI
from hypothesis import strategies as st
from pydantic import SecretStr

from app.config.settings import SenderSettings
from app.core.events import Event, Outcome
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.errors import EventRefused, OutboxUnavailable
from app.source import Intake, NamedSource
from app.source.auth import WriteKeys
from app.source.body import Limits, MemoryBudget
from app.source.browser import OpenToPages
from app.source.named_sources import NamedSources, Webhook, webhook_router, webhook_source
from app.source.request_handler import RequestHandler
from app.source.sdk_settings import sdk_settings_router
from app.source.tracking_api import tracking_router
from tests.limited import split_limits

#: What packs as zstd.
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
#: 2026-03-04T16:12:52.244Z
NOW = 1772640772.244
NOW_TEXT = "2026-03-04T16:12:52.244Z"


class Ledger:
    """Keeps events in lists. Events named "Broken" are invalid; nothing can be kept while it is full."""

    def __init__(self) -> None:
        self.kept: list[Event] = []
        self.refused: list[EventRefused] = []
        self.sources: list[str] = []
        self.trusted: list[bool] = []
        self.known: list[bool] = []
        self.is_full = False

    async def accept(self, intake: Intake) -> Receipt:
        self.sources.append(intake.source)
        self.trusted.append(intake.is_trusted)
        self.known.append(intake.is_known)
        assert intake.now == NOW
        if self.is_full:
            raise OutboxUnavailable(retry_after_s=7)
        before = len(self.kept)
        receipts = tuple(map(self._keep, intake.events))
        accepted = len(self.kept) - before
        return Receipt(events=receipts, counts={Outcome.ACCEPTED: accepted, Outcome.REFUSED: len(receipts) - accepted})

    def _keep(self, event: Event | EventRefused) -> EventReceipt:
        if isinstance(event, EventRefused):
            self.refused.append(event)
            line = PresetResult(preset=None, outcome=Outcome.REFUSED, reason=event.reason)
            return EventReceipt(message_id=event.message_id, deliveries=(line,))
        self.kept.append(event)
        return EventReceipt(message_id=event["messageId"], deliveries=_LINES.get(str(event.get("event")), ()))


_INVALID = PresetResult(preset="Checkout", outcome=Outcome.INVALID, reason="no user", warnings=())
_ENQUEUED = PresetResult(preset="Page Visit", outcome=Outcome.ENQUEUED, warnings=("currency: left out",))
_LINES: dict[str, tuple[PresetResult, ...]] = {
    "Broken": (_INVALID, _INVALID),
    "Half Broken": (_INVALID, _ENQUEUED),
    "Order Completed": (_ENQUEUED,),
    "Unknown": (PresetResult(preset=None, outcome=Outcome.UNMATCHED, reason="no trigger"),),
    "Again": (PresetResult(preset="Checkout", outcome=Outcome.DUPLICATE, reason="event id"),),
    "Private": (PresetResult(preset=None, outcome=Outcome.WITHHELD, reason="consent"),),
}


def limits(**changes: Any) -> Limits:
    """Answer the bounds of the webhook's settings, changed."""
    defaults: dict[str, Any] = {
        "max_body_bytes": 8_000_000,
        "max_decompressed_bytes": 8_000_000,
        "max_events": 4_000,
        "max_depth": 64,
        "max_event_bytes": None,
        "request_timeout_s": 10,
    }
    return Limits(**{**defaults, **changes})


def _settings(*, is_open: bool, **changes: Any) -> SenderSettings:
    """Return those of a process where nothing has to be proven, or something at one route at least."""
    keys = () if is_open else (SecretStr("of-another:route"),)
    own, limits = split_limits(changes)
    return SenderSettings.model_construct(write_keys=keys, **own).with_limits(**limits)


def webhook(
    ledger: Ledger, *, secrets: tuple[bytes, ...] = (), header: str | None = None, is_open: bool = True, **bounds: Any
) -> FastAPI:
    """Build an application with the webhook only."""
    settings = _settings(
        is_open=is_open,
        webhook_shared_secrets=[SecretStr(secret.decode()) for secret in secrets],
        webhook_header=header and SecretStr(header),
        **bounds,
    )
    app = FastAPI()
    app.include_router(webhook_router(source_requests(ledger, {}, webhook_source(settings, is_open=is_open))))
    return app


def source_requests(accepts: Any, sources: Any, default: NamedSource, *, now: float = NOW) -> Webhook:
    """Return the handler of sources that hands events to `accepts`."""
    return Webhook(
        handler=request_handler(accepts, now=now),
        sources=NamedSources(sources, default),
        on_count=lambda *_: None,
        trusted_proxies=(),
        remembers=False,
    )


def request_handler(accepts: Any, *, now: float = NOW) -> RequestHandler:
    """Return the handler of all requests that hands events to `accepts`."""
    return RequestHandler(accepts=accepts, clock=lambda: now, budget=MemoryBudget(32_000_000), new_id=lambda: "made")


def tracking(
    ledger: Ledger,
    *,
    keys: tuple[str, ...] = ("shop:k1",),
    is_open: bool = False,
    proxies: tuple[str, ...] = (),
    public_hosts: tuple[str, ...] = ("pinrelay.example",),
    limits_of_keys: tuple[str, ...] = (),
    **bounds: Any,
) -> FastAPI:
    """Build an application with the Tracking API and the SDKs' settings."""
    write_keys = WriteKeys.read(keys)
    settings = _settings(is_open=is_open, trusted_proxies=proxies, write_key_limits=limits_of_keys, **bounds)
    app = FastAPI()
    app.add_middleware(OpenToPages)
    app.include_router(tracking_router(request_handler(ledger), settings, write_keys))
    app.include_router(sdk_settings_router(write_keys, is_open=is_open, public_hosts=public_hosts))
    return app


def any_json(*names: str) -> st.SearchStrategy[Any]:
    """Draw a JSON value, often with members of these names."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["track", "Broken"])
    keys = st.sampled_from(names) | st.text()
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6))


def client(app: FastAPI, peer: str = "198.51.100.7") -> httpx.AsyncClient:
    """Call an application as if from the address `peer`."""
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://pinrelay.example")
