"""Segment's HTTP Tracking API for all SDKs of Segment and RudderStack, with this server as their host.

SDKs differ in path, content type, compression and the place of the write key, so all variants are supported. The
response is always 200 {"success": true} after the commit: the ledger has the outcome of each event. Source:
https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

import asyncio
import re
import time
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.config.settings import SenderSettings
from app.core.events import DEFAULT_SOURCE, Event
from app.core.receipts import Receipt
from app.core.values.addresses import Network, one_household, read_networks
from app.errors import EventRefused, SettingsError
from app.source import responses
from app.source.auth import MISSING_KEY_CHECK, UNKNOWN_KEY_CHECK, WriteKeys, basic_user
from app.source.body import Body, Limits, open_body, pieces, read_events, receive
from app.source.event import Arrival, Intake
from app.source.openapi import BATCH_BODY, CALL_BODY, TRACKING_ANSWERS
from app.source.rate_limits import OF_EACH, Quotas, read_quotas
from app.source.received_request import Requester
from app.source.request_handler import RequestHandler

#: The call of a path, if the event has no type; browser and mobile SDKs use the letters.
_CALLS = {"track": "t", "page": "p", "screen": "s", "identify": "i", "group": "g", "alias": "a"}
_BATCHES = ("/v1/batch", "/v1/import")
#: RudderStack's browser SDK uses the last path when a page closes, with the write key in the query.
_OTHER_BATCHES = ("/v1/batch/", "/v1/import/", "/v1/b", "/v1/b/", "/beacon/v1/batch")
#: Jitsu's SDKs send Segment's events here: libs/jitsu-js in jitsucom/jitsu.
_OF_JITSU = ("/api/s/", "/api/s/s2s/")
#: The path for reports of analytics-next about itself.
_METRICS = ("/v1/m", "/v1/m/")

#: A write key in a body.
_KEY_IN_BODY = re.compile(rb'"writeKey"[ \t\r\n]*+:[ \t\r\n]*+"((?:[^"\\]|\\.){1,512}+)"')
_LONGEST_KEY_BYTES = 600


def tracking_router(
    handler: RequestHandler,
    settings: SenderSettings,
    write_keys: WriteKeys,
) -> APIRouter:
    """Build the routes. `write_keys` may change while the routes serve.

    Raises SettingsError if the limits of a key, or a proxy, are invalid. The handler stores the name of the request's
    source in `request.state.source`.
    """
    api = _TrackingApi(
        handler=handler,
        limits=Limits.of_tracking(settings),
        write_keys=write_keys,
        is_open=not settings.authenticated,
        secret_keys=frozenset(settings.trusted_senders),
        trusted_proxies=read_networks(settings.trusted_proxies),
        quotas=quotas_of(settings, write_keys),
    )
    router = APIRouter(tags=["tracking"])
    for path in _BATCHES:
        _add(router, path, api.events_handler(None), "Receive a batch of events", BATCH_BODY)
    for path in _OTHER_BATCHES:
        _add(router, path, api.events_handler(None))
    for call, letter in _CALLS.items():
        _add(router, f"/v1/{call}", api.events_handler(call), f"Receive one {call} event", CALL_BODY)
        for path in (f"/v1/{call}/", f"/v1/{letter}", f"/v1/{letter}/"):
            _add(router, path, api.events_handler(call))
        for beginning in _OF_JITSU:
            _add(router, f"{beginning}{call}", api.events_handler(call))
    for beginning in _OF_JITSU:
        for name in ("event", "batch"):
            _add(router, f"{beginning}{name}", api.events_handler(None))
    for path in _METRICS:
        _add(router, path, responses.answering_refusals(api.discard))
    return router


def quotas_of(settings: SenderSettings, write_keys: WriteKeys) -> Quotas:
    """Return the quotas of keys and of their addresses; servers with a secret key share addresses.

    Raises SettingsError.
    """
    quotas = read_quotas(settings.write_key_limits, write_keys.keys)
    secret = {name + OF_EACH for name in settings.trusted_senders}
    of_addresses = [name for name in quotas if name.endswith(OF_EACH)]
    if of_addresses and not settings.trusted_proxies:
        raise SettingsError(
            f"WRITE_KEY_LIMITS: {of_addresses[0]} needs TRUSTED_PROXIES: without it all visitors behind a proxy have "
            "its address; set it to 127.0.0.1 if there is no proxy"
        )
    return Quotas({name: quota for name, quota in quotas.items() if name not in secret}, time.monotonic)


def _add(
    router: APIRouter, path: str, handler: responses.Handler, summary: str = "", body: dict[str, object] | None = None
) -> None:
    """Add a path; without a body it is an alias, which the OpenAPI document omits."""
    router.add_api_route(
        path,
        handler,
        methods=["POST"],
        include_in_schema=body is not None,
        summary=summary,
        openapi_extra={"requestBody": body},
        responses=TRACKING_ANSWERS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrackingApi:
    """The handlers with their dependencies."""

    handler: RequestHandler
    limits: Limits
    write_keys: WriteKeys
    #: Requests need no write key: true only if authentication is off.
    is_open: bool
    #: The names of write keys that no page contains.
    secret_keys: frozenset[str]
    #: Proxies with a trusted X-Forwarded-For.
    trusted_proxies: tuple[Network, ...]
    quotas: Quotas

    def events_handler(self, call: str | None) -> responses.Handler:
        """Build the handler of a path; `call` is the type of an event without a type."""

        async def receive_call(request: Request) -> Response:
            return await self._receive(request, call)

        return responses.answering_refusals(receive_call)

    async def discard(self, request: Request) -> Response:
        """Accept an SDK's report about itself, and discard it."""
        await receive(request, self.limits)
        return responses.answer(responses.SUCCESS)

    async def _receive(self, request: Request, call: str | None) -> Response:
        request.state.source = source = self._source_before_body(request)
        requester = Requester.of(request, self.trusted_proxies)
        address = one_household(requester.ip) if requester.ip else None
        if request.scope["path"].startswith(_OF_JITSU) and request.headers.get("x-ip-policy", "keep") != "keep":
            requester = replace(requester, ip=None)  # requested by `privacy.ipPolicy` of the page
        self.quotas.check(source, address)
        return await self.handler.handle(request, _TrackingRequest(request, self, call, requester, address))

    def _source_before_body(self, request: Request) -> str | None:
        """Return the name of the source with the write key in a header or the query.

        `None`: only the body may have a key. Raises RequestRefused if a key is unknown.
        """
        headers = request.headers
        in_query, of_jitsu = request.query_params.get("writeKey"), headers.get("x-write-key")
        offered = [basic_user(headers.get("authorization")), in_query, of_jitsu]
        if of_jitsu:  # Jitsu's SDK requires a colon: `name:key`, as in WRITE_KEYS
            offered.append(of_jitsu.partition(":")[2])
        source = self.write_keys.source(*offered)
        if source is None and any(offered) and not self.is_open:
            raise responses.RequestRefused(responses.UNAUTHENTICATED, UNKNOWN_KEY_CHECK)
        return source

    async def check_key_in_body(self, raw: bytes, size: int) -> None:
        """Search a body for a known write key without storing or parsing the body. Raises RequestRefused."""
        tail, check = b"", MISSING_KEY_CHECK
        for piece in pieces(raw, size):
            text = tail + piece
            for found in _KEY_IN_BODY.finditer(text):
                if self.write_keys.source(_text(found[1])) is not None:
                    return
                check = UNKNOWN_KEY_CHECK
            tail = text[-_LONGEST_KEY_BYTES:]
            await asyncio.sleep(0)
        raise responses.RequestRefused(responses.UNAUTHENTICATED, check)

    def source_in(self, body: Body) -> str | None:
        """Return the name of the source with the write key in the body; `None` if no key is required.

        Raises RequestRefused if the key is missing or unknown.
        """
        source = self.write_keys.source(body.top.get("writeKey"))
        if source is None and not self.is_open:
            raise responses.RequestRefused(responses.UNAUTHENTICATED, UNKNOWN_KEY_CHECK)
        return source


@dataclass(slots=True)
class _TrackingRequest:
    """A request of an SDK, as a `Sender`. `request.state.source` is the name of its write key, `None` if unknown."""

    request: Request
    api: _TrackingApi
    call: str | None
    requester: Requester
    address: str | None
    #: The event of a request with a single event; `None` for a batch.
    alone: list[Event | EventRefused] | None = None

    @property
    def limits(self) -> Limits:
        return self.api.limits

    async def authenticate(self, raw: bytes, size: int, *, now: float) -> None:  # noqa: ARG002 - no time is signed
        if self.request.state.source is None and not self.api.is_open:
            await self.api.check_key_in_body(raw, size)

    async def parse(self, raw: bytes, size: int, handler: RequestHandler, *, now: float) -> tuple[Intake, bool]:
        api, state, call = self.api, self.request.state, self.call
        body = await open_body(raw, size, handler.budget, api.limits)
        state.source = source = state.source or api.source_in(body)
        api.quotas.check(source, self.address)
        api.quotas.charge(source, self.address, size=size)
        if call is not None and isinstance(body.slices, tuple) and not body.several:
            _name_type(body.slices[0][0], call)
        arrival = Arrival.at(now, from_device=True, new_id=handler.new_id)
        events = self.requester.complete_all(read_events(body, api.limits, arrival))
        self.alone = None if body.several else list(events)
        # A write key is public, because pages contain it, unless it is marked as secret; without keys only this machine
        # may send.
        is_trusted = source is None or source in api.secret_keys
        return Intake(self.alone or events, now, source=source or DEFAULT_SOURCE, is_trusted=is_trusted), False

    def answer(self, receipt: Receipt, intake: Intake) -> Response:  # noqa: ARG002 - SDKs read no receipt
        """Return HTTP 200 for every batch; 400 if a single event was unreadable.

        SDKs drop requests with the response 400: correct for a single event, but not for the rest of a batch.
        """
        self.api.quotas.charge(self.request.state.source, self.address, events=len(receipt.events))
        if self.alone and isinstance(self.alone[0], EventRefused):
            return responses.answer(responses.refusal_json("event_refused", self.alone[0].reason), 400)
        return responses.answer(responses.SUCCESS)


def _text(escaped: bytes) -> Any:
    """Return the text of an escaped JSON string without its quotes; `None` if it is invalid."""
    try:
        return orjson.loads(b'"%b"' % escaped)
    except orjson.JSONDecodeError:
        return None


def _name_type(event: Any, call: str) -> None:
    """Set the type of an event without a type to that of the path."""
    if isinstance(event, dict) and event.get("type") in (None, ""):
        event["type"] = call
