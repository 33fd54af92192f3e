"""`/webhook` and `/webhook/{source}`: sources, each with its proofs, limits and consent.

`/webhook` receives requests of the webhook destinations of Segment (POST, PUT or PATCH) and RudderStack. Settings
describe its source; files describe the others. The response is a receipt, after the commit. The response to an array is
always 200, because an invalid event must not make the sender repeat a thousand. The response to a single event is 422
if the event can never be used.
"""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Request, Response

from app.config.settings import ConsentSettings, SenderSettings
from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.receipts import Receipt
from app.core.refusals import FailedCheck
from app.core.values.addresses import Network
from app.core.values.order_channels import order_channel
from app.errors import EventHeldBack, EventRefused
from app.source import responses
from app.source.auth import MISSING_KEY_CHECK, UNKNOWN_KEY_CHECK, HeaderSecret, OpenProof, PageKey, SenderProof, is_any
from app.source.body import (
    Limits,
    decompress,
    decompressed_size,
    open_body,
    pieces,
    read_body,
    read_events,
    receive,
)
from app.source.event import Arrival, Intake, read_or_refuse
from app.source.openapi import NAMED_ANSWERS, NAMED_BODY, NAMED_PARAMETERS, WEBHOOK_ANSWERS, WEBHOOK_BODY
from app.source.rate_limits import Quota, Quotas
from app.source.raw_records import body_reader_of, read_raw_requests, records, request_context
from app.source.received_request import Requester, with_gpc
from app.source.request_handler import RequestHandler
from app.source.signatures import SegmentSignature, failed_cause, is_of_first
from app.source.withholding import withheld

#: The value of `context.amounts` with which the default mapping does not change `revenue` and `value`.
AS_SENT: Final = "as_sent"
#: Events that withdraw an order, which may have been accepted before its channel was withheld.
_CANCELLATIONS: Final = frozenset({"Order Cancelled", "Order Refunded"})
_OFF: Final = "the source is switched off (`enabled: false` in its file)"


#: Converts a record of app/source/raw_records.py to Segment events, as unread JSON, or to the reason why there are
#: none.
Reshape: TypeAlias = Callable[[dict[str, Any]], Iterable[Any | EventRefused]]


def events_of(records: Iterable[dict[str, Any] | EventRefused], reshape: Reshape) -> Iterator[Any | EventRefused]:
    """Yield the events of each record on demand; a refused record is yielded unchanged."""
    for record in records:
        yield from [record] if isinstance(record, EventRefused) else reshape(record)


@dataclass(frozen=True, kw_only=True)
class NamedSource:
    """A source: its authentication, its limits, and the reader of its requests."""

    name: str
    #: All proofs are required.
    proofs: tuple[SenderProof, ...]
    limits: Limits
    #: `None` if the source sends Segment's events unchanged.
    reshape: Reshape | None
    #: Required consent, in addition to the settings; `None`: no further requirement.
    consent: ConsentSettings | None
    #: A GET is also an event, and the response is a pixel.
    takes_pixels: bool
    #: Prefix of a small unauthenticated body that tests the address and gets the response 200; `None`: no such body.
    ping: bytes | None
    #: `None`: no limit.
    quota: Quota | None
    #: None of its events are sent.
    is_off: bool
    #: The product id to send; `None`: as in the settings.
    content_id: str | None = None
    #: The author of its events: a `server` with a secret, or a `browser` whose events a relay may forward.
    authors: Literal["server", "browser"] = "server"
    #: The shop of its orders; sources without a shop belong to all shops.
    shop: str = ""
    #: For each proof, the settings, variables or files with its secrets.
    secret_names: tuple[str, ...] = ()
    #: Its mapping reads the query of a request, which signatures do not cover.
    reads_query: bool = False
    #: `revenue` and `value` are sent unchanged, even if they include tax or shipping.
    sends_amounts_as_sent: bool = False
    #: Orders of these channels are not sent.
    withheld_channels: frozenset[str] = frozenset()
    #: Its orders wait for the matching page order.
    wait_for_page: bool = True
    #: Only this machine can send, so no proof is required.
    is_local: bool = False

    @cached_property
    def secret_proofs(self) -> tuple[SenderProof, ...]:
        """Return the proofs that need a secret."""
        return tuple(proof for proof in self.proofs if not isinstance(proof, OpenProof))

    @cached_property
    def is_known(self) -> bool:
        """Return whether the sender is authenticated: by a secret, or because only this machine can send."""
        return self.is_local or bool(self.secret_proofs)

    @cached_property
    def label(self) -> str | None:
        """Return the name in responses, logs and counts. `None` for `/webhook`."""
        return None if self.name == DEFAULT_SOURCE else self.name

    @property
    def is_trusted(self) -> bool:
        """Return whether a secret authenticates the author of its events."""
        return self.is_known and self.authors == "server"

    def is_signed_once(self, raw: bytes, size: int, headers: Mapping[str, str]) -> bool:
        """Return whether the only proof is a signature of the first event in an array."""
        return bool(self.secret_proofs) and all(
            isinstance(proof, SegmentSignature) and is_of_first(raw, size, headers.get(proof.header), proof.secrets)
            for proof in self.secret_proofs
        )

    def is_covered(self, request: Request) -> bool:
        """Return whether its proofs cover all parts of a request that its events contain.

        A signature covers the body only.
        """
        if request.method != "GET" and not (self.reads_query and request.url.query):
            return True
        return any(isinstance(proof, HeaderSecret) for proof in self.proofs)

    @cached_property
    def page_keys(self) -> tuple[bytes, ...]:
        """Return the public keys of pages, of which the query of a request must have one.

        Empty if no key is required.
        """
        return tuple(key for proof in self.proofs if isinstance(proof, PageKey) for key in proof.keys)

    @property
    def has_page_key(self) -> bool:
        """Return whether pages contain its key."""
        return bool(self.page_keys)

    def check_key(self, key: str) -> None:
        """Check the key in the query of a request, "" if the query has none. Raises RequestRefused."""
        if (keys := self.page_keys) and not is_any(key.encode("utf-8", "replace"), keys):
            check = UNKNOWN_KEY_CHECK if key else MISSING_KEY_CHECK
            names = [
                name for name, proof in zip(self.secret_names, self.proofs, strict=True) if isinstance(proof, PageKey)
            ]
            raise responses.RequestRefused(responses.UNAUTHENTICATED, replace(check, setting=", ".join(names)))

    def refusal(self, proof: SenderProof, headers: Mapping[str, str], *, now: float) -> responses.RequestRefused:
        """Return the error for a request that a proof rejects, with the failed check."""
        cause = failed_cause(proof, headers, now=now)
        setting = self.secret_names[self.proofs.index(proof)]
        if cause == "clock":
            setting = f"the clock of this machine, tolerance_s of {self.name}"
        return responses.RequestRefused(responses.UNAUTHENTICATED, FailedCheck(cause, setting))

    @property
    def hidden_headers(self) -> frozenset[str]:
        """Return the headers of its proofs, which are hidden from mappings."""
        return frozenset(proof.header for proof in self.proofs)


def webhook_source(settings: SenderSettings, *, is_open: bool) -> NamedSource:
    """Return the source of `/webhook`. With `is_open` only this machine can send, and no secret is needed.

    Raises SettingsError if WEBHOOK_HEADER is invalid.
    """
    proofs: list[tuple[str, SenderProof]] = []
    if shared := tuple(secret.get_secret_value().encode() for secret in settings.webhook_shared_secrets):
        proofs.append(("WEBHOOK_SHARED_SECRETS", SegmentSignature(secrets=shared)))
    if settings.webhook_header:
        proofs.append(("WEBHOOK_HEADER", HeaderSecret.read(settings.webhook_header.get_secret_value())))
    return NamedSource(
        name=DEFAULT_SOURCE,
        proofs=tuple(proof for _, proof in proofs),
        secret_names=tuple(name for name, _ in proofs),
        limits=Limits.of_webhook(settings),
        reshape=None,
        consent=None,
        takes_pixels=False,
        ping=None,
        quota=None,
        is_off=False,
        authors="server" if is_open or settings.is_webhook_trusted else "browser",
        is_local=is_open,
    )


def is_for_pages(path: str, sources: Mapping[str, NamedSource]) -> bool:
    """Return whether pages of any origin, including sandboxed ones, may call the path: its source has a page key."""
    source = sources.get(path.removeprefix("/webhook/").rstrip("/")) if path.startswith("/webhook/") else None
    return source is not None and source.has_page_key


def permitted(events: Iterable[Event | EventRefused], source: NamedSource) -> Iterable[Event | EventRefused]:
    """Yield the events; an event that the source must not send becomes an EventHeldBack."""
    if source.consent is None and not (source.is_off or source.sends_amounts_as_sent or source.withheld_channels):
        return events
    return (held_back(event, source) for event in events)


def held_back(event: Event | EventRefused, source: NamedSource) -> Event | EventRefused:
    """Return the event, or an EventHeldBack if the source must not send it."""
    if isinstance(event, EventRefused):
        return event
    if source.sends_amounts_as_sent and isinstance(context := event.get("context") or {}, dict):
        event["context"] = context | {"amounts": AS_SENT}
    reason = _OFF if source.is_off else withheld(event, source.consent) if source.consent else None
    channel = order_channel(event) if source.withheld_channels else ""
    if channel in source.withheld_channels and event.get("event") not in _CANCELLATIONS:
        reason = (
            reason or f"orders of the channel {channel} are withheld (`withheld_channels` in the file of the source)"
        )
    return event if reason is None else EventHeldBack(reason, event)


def events_of_request(
    source: NamedSource, raw: bytes, headers: Mapping[str, str], *, now: float, query: str = ""
) -> Iterator[tuple[Any, Event | EventRefused]]:
    """Yield the JSON that a source creates from each member of a request, and the event in it.

    For people and programs that test a request: no proof is required, and only the depth is limited. A member without
    an event is yielded as `None` and an EventRefused. A request without a body is a pixel. Raises RequestRefused if the
    request as a whole is unreadable.
    """
    named = {name.lower(): value for name, value in headers.items()}
    body = b"".join(pieces(raw, decompressed_size(raw, source.limits.max_decompressed_bytes)))
    arrival = Arrival.at(now)
    if source.reshape is None:
        read = read_events(read_body(body, max_events=None), source.limits, arrival)
        found = ((None if isinstance(event, EventRefused) else event, event) for event in read)
    else:
        method = "POST" if body or not source.takes_pixels else "GET"
        content_type = "" if method == "GET" else named.get("content-type", "")
        raw_records = read_raw_requests(
            body if method == "POST" else b"null", content_type, named, query, method=method
        )
        made = events_of(raw_records, source.reshape)
        found = ((_shown(each), read_or_refuse(each, arrival)) for each in made)
    requester = Requester(ip=None, user_agent=None, gpc=named.get("sec-gpc"))
    for shown, event in found:
        if not isinstance(event, EventRefused):
            requester.complete(event)
        yield shown, held_back(event, source)


def _shown(made: Any | EventRefused) -> Any:
    """Return a copy of a source's JSON before it is read as an event, which completes it in place."""
    return None if isinstance(made, EventRefused) else dict(made) if isinstance(made, dict) else made


class NamedSources:
    """The current sources: by name, and the `default` of `/webhook`."""

    def __init__(self, sources: Mapping[str, NamedSource], default: NamedSource) -> None:
        self.default = default
        self.take(sources)

    def take_default(self, source: NamedSource) -> None:
        """Use this source for `/webhook` from now on."""
        self.default = source

    def take(self, sources: Mapping[str, NamedSource]) -> None:
        """Replace the sources, and reset their quotas."""
        self.by_name = dict(sources)
        limited = {name: each.quota for name, each in sources.items() if each.quota is not None}
        self.quotas = Quotas(limited, time.monotonic)


#: The methods of Segment's webhook destination, which are set for each mapping.
WEBHOOK_METHODS: Final = ("POST", "PUT", "PATCH")
_MAX_QUERY_CHARACTERS: Final = 16_384
_MAX_PING_BYTES: Final = 200
#: A transparent pixel.
_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_OF_PIXEL: Final = MappingProxyType({"Cache-Control": "no-store"})

_Events: TypeAlias = Iterable[Event | EventRefused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Receives the requests to `/webhook` and to named sources."""

    handler: RequestHandler
    sources: NamedSources
    #: Called with the name of a source, and the outcomes of each committed request.
    on_count: Callable[[str, Mapping[Outcome, int]], None]
    trusted_proxies: tuple[Network, ...]
    #: Identity memory is on: a sender without a secret must not learn anything about people.
    remembers: bool

    async def receive_default(self, request: Request) -> Response:
        """Handle a request to `/webhook`. Raises RequestRefused and OutboxUnavailable."""
        source = self.sources.default
        if not (source.proofs or source.is_local):
            check = FailedCheck("no secret is set", "WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER")
            raise responses.RequestRefused(responses.CLOSED, check)
        return await self._receive(request, source)

    async def receive(self, request: Request) -> Response:
        """Handle a request to `/webhook/{source}`. Raises RequestRefused and OutboxUnavailable."""
        source = self.sources.by_name.get(request.path_params["source"])
        if source is None:
            raise responses.RequestRefused(responses.UNKNOWN_SOURCE)
        request.state.source = source.name
        if request.method == "GET" and not source.takes_pixels:
            raise responses.RequestRefused(responses.NO_PIXEL)
        return await self._receive(request, source)

    async def _receive(self, request: Request, source: NamedSource) -> Response:
        if source.quota:
            self.sources.quotas.check(source.name)
        if source.page_keys:
            source.check_key(request.query_params.get("key", ""))
        for proof in source.proofs:
            if not proof.may_hold(request.headers):
                if await _is_ping(request, source):
                    return responses.answer(responses.SUCCESS)
                raise source.refusal(proof, request.headers, now=self.handler.clock())
        return await self.handler.handle(request, _SourceRequest(request, source, self))


@dataclass(slots=True)
class _SourceRequest:
    """A request of a source, as a `Sender`."""

    request: Request
    source: NamedSource
    webhook: Webhook
    #: The body is a single Segment event.
    is_single: bool = False

    @property
    def limits(self) -> Limits:
        return self.source.limits

    async def authenticate(self, raw: bytes, size: int, *, now: float) -> None:
        headers = self.request.headers
        for proof in self.source.proofs:
            if not await proof.holds(raw, size, headers, now=now):
                raise self.source.refusal(proof, headers, now=now)

    async def parse(self, raw: bytes, size: int, handler: RequestHandler, *, now: float) -> tuple[Intake, bool]:
        request, source = self.request, self.source
        if source.quota:
            self.webhook.sources.quotas.charge(source.name, size=size)
        arrival, only_first = Arrival.at(now, new_id=handler.new_id), False
        events: _Events
        if source.reshape is None:
            body = await open_body(raw, size, handler.budget, source.limits)
            self.is_single = not body.several
            only_first = body.several and source.is_signed_once(raw, size, request.headers)
            events = read_events(body, source.limits, arrival)
        else:
            events = await self._map(source.reshape, raw, size, arrival)
        is_covered = source.is_covered(request)
        intake = Intake(
            permitted(with_gpc(events, request), source),
            now,
            source=source.name,
            is_trusted=source.is_trusted and is_covered,
            is_relayed=source.is_known and is_covered,
        )
        return intake, only_first

    async def _map(self, reshape: Reshape, raw: bytes, size: int, arrival: Arrival) -> _Events:
        """Yield the events that a source's file creates from a request, on demand."""
        request, limits = self.request, self.source.limits
        if len(request.url.query) > _MAX_QUERY_CHARACTERS:
            raise responses.RequestRefused(responses.TOO_MANY)
        content = "json" if request.method == "GET" else body_reader_of(request.headers.get("content-type", ""))
        if content == "lines" and not responses.is_read_encoding(request):  # each line alone would be refused
            raise responses.RequestRefused(responses.UNSUPPORTED_ENCODING)
        requester = Requester.of(request, self.webhook.trusted_proxies)
        around = request_context(request, hidden=self.source.hidden_headers, ip=requester.ip)
        found = records(await decompress(raw, size), content, around, limits)
        return _bounded(map(partial(read_or_refuse, arrival=arrival), events_of(found, reshape)), limits.max_events)

    def answer(self, receipt: Receipt, intake: Intake) -> Response:
        source, webhook = self.source, self.webhook
        if source.quota:
            webhook.sources.quotas.charge(source.name, events=len(receipt.events))
        if source.label:
            webhook.on_count(source.label, receipt.counts)
        if self.request.method == "GET":
            return Response(_PIXEL, media_type="image/gif", headers=dict(_OF_PIXEL))
        if webhook.remembers and not intake.is_known:
            receipt = responses.without_memory(receipt)
        is_unusable = self.is_single and responses.is_unusable(receipt)
        return responses.answer(responses.receipt_json(receipt, source=source.label), 422 if is_unusable else 200)


def webhook_router(webhook: Webhook) -> APIRouter:
    """Build the routes of `/webhook`."""
    router = APIRouter(tags=["webhook"])
    handler = responses.answering_refusals(webhook.receive_default, DEFAULT_SOURCE)
    summary = "Receive one Segment event, or an array of them"
    details = {"requestBody": WEBHOOK_BODY}
    _add_routes(router, "/webhook", handler, dict.fromkeys(WEBHOOK_METHODS, (summary, details)), WEBHOOK_ANSWERS)
    return router


def named_sources_router(webhook: Webhook) -> APIRouter:
    """Build the routes of named sources. The handler sets `request.state.source` to the name of the source."""
    router = APIRouter(tags=["webhook"])
    handler = responses.answering_refusals(webhook.receive)
    summary = "Receive what a named source sends"
    details = {"parameters": NAMED_PARAMETERS, "requestBody": NAMED_BODY}
    of_methods = dict.fromkeys(WEBHOOK_METHODS, (summary, details))
    of_methods["GET"] = "Receive a pixel of a named source", {"parameters": NAMED_PARAMETERS}
    _add_routes(router, "/webhook/{source}", handler, of_methods, NAMED_ANSWERS)
    return router


def _add_routes(
    router: APIRouter,
    path: str,
    handler: responses.Handler,
    of_methods: Mapping[str, tuple[str, dict[str, Any]]],
    answers: dict[int | str, dict[str, Any]],
) -> None:
    """Add a path with the summary and details of each method, and the same path with a trailing `/`."""
    for method, (summary, details) in of_methods.items():
        router.add_api_route(path, handler, methods=[method], summary=summary, openapi_extra=details, responses=answers)
    # Handled directly, because senders of shop webhooks do not follow redirects.
    router.add_api_route(f"{path}/", handler, methods=list(of_methods), include_in_schema=False)


async def _is_ping(request: Request, source: NamedSource) -> bool:
    """Return whether a request only tests the address, as shops do at first. A large body is not read."""
    length = request.headers.get("content-length", "")
    if source.ping is None or not length.isdecimal() or len(length) > len(str(_MAX_PING_BYTES)):
        return False
    limits = replace(source.limits, max_body_bytes=_MAX_PING_BYTES)
    return int(length) <= _MAX_PING_BYTES and (await receive(request, limits)).startswith(source.ping)


def _bounded(events: _Events, most: int) -> _Events:
    """Yield the events. Raises RequestRefused if there are too many: a record may contain a list of events."""
    for number, event in enumerate(events):
        if number == most:
            raise responses.RequestRefused(responses.TOO_MANY)
        yield event
