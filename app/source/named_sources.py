"""`/webhook/{source}`: named sources, each with its own proofs, bounds and consent."""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Request, Response

from app.config.settings import ConsentSettings
from app.core.events import Event, Outcome
from app.core.receipts import Receipt
from app.core.refusals import FailedCheck
from app.core.values.addresses import Network
from app.core.values.order_channels import order_channel
from app.errors import EventHeldBack, EventRefused
from app.source import responses
from app.source.auth import MISSING_KEY_CHECK, UNKNOWN_KEY_CHECK, HeaderSecret, OpenProof, PageKey, SenderProof, is_any
from app.source.body import (
    Limits,
    MemoryBudget,
    decompress,
    decompressed_size,
    measured,
    open_body,
    pieces,
    read_body,
    read_events,
    receive,
)
from app.source.event import AcceptsIntake, Arrival, Intake, accept_signed, random_id, read_or_refuse
from app.source.openapi import NAMED_ANSWERS, NAMED_BODY, NAMED_PARAMETERS
from app.source.rate_limits import Quota, Quotas
from app.source.raw_records import body_reader_of, read_raw_requests, records, request_context
from app.source.received_request import Requester, with_gpc
from app.source.signatures import SegmentSignature, failed_cause, is_of_first
from app.source.webhook import WEBHOOK_METHODS
from app.source.withholding import withheld

#: The value of `context.amounts` by which the default mapping leaves `revenue` and `value` as they are.
AS_SENT: Final = "as_sent"
#: Events that withdraw an order, which may have been taken before its channel was withheld.
_CANCELLATIONS: Final = frozenset({"Order Cancelled", "Order Refunded"})
_OFF: Final = "the source is switched off (`enabled: false` in its file)"


#: Makes Segment events of a record of app/source/raw_records.py: JSON that is not read yet, or why there is none.
Reshape: TypeAlias = Callable[[dict[str, Any]], Iterable[Any | EventRefused]]


def events_of(records: Iterable[dict[str, Any] | EventRefused], reshape: Reshape) -> Iterator[Any | EventRefused]:
    """Yield what `reshape` makes of each record when its turn comes; one that is refused stands in its place."""
    for record in records:
        yield from [record] if isinstance(record, EventRefused) else reshape(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """One source: who may send by it, how much, and how what it sends is read."""

    name: str
    #: All must hold.
    proofs: tuple[SenderProof, ...]
    limits: Limits
    #: None where Segment's events come as they are.
    reshape: Reshape | None
    #: What must be granted beside what the settings ask for; None asks for nothing.
    consent: ConsentSettings | None
    #: A GET is an event too, and answered by a pixel.
    takes_pixels: bool
    #: How a small body begins that proves nothing, tries the address, and is answered 200; None where none is.
    ping: bytes | None
    #: None bounds nothing.
    quota: Quota | None
    #: None of its events is sent on.
    is_off: bool
    #: Which of their ids products are sent under; None: as the settings say.
    content_id: str | None = None
    #: Who makes its events: a `server` that keeps a secret, or a `browser`, whose events a relay may hand on.
    authors: Literal["server", "browser"] = "server"
    #: The shop whose orders it sends; sources without one are of every shop.
    shop: str = ""
    #: The variables or files that hold its secrets.
    secret_names: str = ""
    #: Its mapping reads the query of a request, which signatures do not cover.
    reads_query: bool = False
    #: `revenue` and `value` are sent as they are, even if they include tax or shipping.
    sends_amounts_as_sent: bool = False
    #: Orders of these channels are not sent.
    withheld_channels: frozenset[str] = frozenset()
    #: Its orders wait for the same order from the page.
    wait_for_page: bool = True

    @property
    def is_known(self) -> bool:
        """Whether a secret says who sends: not where anyone may."""
        return any(not isinstance(proof, OpenProof) for proof in self.proofs)

    @property
    def is_proven(self) -> bool:
        """Whether a secret says who makes its events."""
        return self.is_known and self.authors == "server"

    def is_signed_once(self, raw: bytes, size: int, headers: Mapping[str, str]) -> bool:
        """Return whether nothing but a signature of the first event of an array is proven."""
        return self.is_known and all(
            isinstance(proof, SegmentSignature) and is_of_first(raw, size, headers.get(proof.header), proof.secrets)
            for proof in self.proofs
            if not isinstance(proof, OpenProof)
        )

    def is_covered(self, request: Request) -> bool:
        """Return whether its proofs cover all that its events are made of: a signature covers the body only."""
        if any(isinstance(proof, HeaderSecret) for proof in self.proofs):
            return True
        return request.method != "GET" and not (self.reads_query and request.url.query)

    @property
    def page_keys(self) -> tuple[bytes, ...]:
        """The keys that pages show, of which the query of a request must hold one. Empty if no key is required."""
        return tuple(key for proof in self.proofs if isinstance(proof, PageKey) for key in proof.keys)

    @property
    def has_page_key(self) -> bool:
        """Whether pages show its key."""
        return bool(self.page_keys)

    def check_key(self, key: str) -> None:
        """Check the key in the query of a request, "" if the query has none. Raises RequestRefused."""
        if (keys := self.page_keys) and not is_any(key.encode("utf-8", "replace"), keys):
            check = UNKNOWN_KEY_CHECK if key else MISSING_KEY_CHECK
            raise responses.RequestRefused(responses.UNAUTHENTICATED, replace(check, setting=self.secret_names))

    def refusal(self, proof: SenderProof, headers: Mapping[str, str], *, now: float) -> responses.RequestRefused:
        """Return the error for a request that a proof refuses, with the check that failed."""
        cause = failed_cause(proof, headers, now=now)
        setting = f"the clock of this machine, tolerance_s of {self.name}" if cause == "clock" else self.secret_names
        return responses.RequestRefused(responses.UNAUTHENTICATED, FailedCheck(cause, setting))

    @property
    def hidden_headers(self) -> frozenset[str]:
        """The headers that hold what it asks for: no mapping gets to see them."""
        return frozenset(proof.header for proof in self.proofs)


def is_for_pages(path: str, sources: Mapping[str, NamedSource]) -> bool:
    """Return whether pages of any origin, sandboxed ones too, may call the path: it is of a source with a page key."""
    source = sources.get(path.removeprefix("/webhook/").rstrip("/")) if path.startswith("/webhook/") else None
    return source is not None and source.has_page_key


def permitted(events: Iterator[Event | EventRefused], source: NamedSource) -> Iterator[Event | EventRefused]:
    """Yield the events; what the source may not send on stands as EventHeldBack in its place."""
    if source.consent is None and not (source.is_off or source.sends_amounts_as_sent or source.withheld_channels):
        return events
    return (held_back(event, source) for event in events)


def held_back(event: Event | EventRefused, source: NamedSource) -> Event | EventRefused:
    """Return the event, or EventHeldBack where the source may not send it on."""
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
    """Yield what a source makes of each member of a request, as JSON, and the event that is read from it.

    For people and programs that try a request: no proof is asked, and nothing but the depth is bounded. What gives no
    event is an EventRefused in its place, made of nothing (None). A request without a body is a pixel.
    Raises RequestRefused where the request as a whole cannot be read.
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
    """Return what a source made as it is before its event is read, which completes it in place."""
    return None if isinstance(made, EventRefused) else dict(made) if isinstance(made, dict) else made


class NamedSources:
    """The sources that there are now, by name."""

    def __init__(self, sources: Mapping[str, NamedSource]) -> None:
        self.take(sources)

    def take(self, sources: Mapping[str, NamedSource]) -> None:
        """Hold these from now on; what was left of quotas is forgotten."""
        self.by_name = dict(sources)
        limited = {name: each.quota for name, each in sources.items() if each.quota is not None}
        self.quotas = Quotas(limited, time.monotonic)


_MAX_QUERY_CHARACTERS: Final = 16_384
_MAX_PING_BYTES: Final = 200
#: One transparent point.
_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_OF_PIXEL: Final = MappingProxyType({"Cache-Control": "no-store"})

_Events: TypeAlias = Iterator[Event | EventRefused]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWebhook:
    """Receives the requests of named sources, with what it needs for that."""

    accepts: AcceptsIntake
    sources: NamedSources
    clock: Callable[[], float]
    #: That of all requests of the process.
    budget: MemoryBudget
    #: Told the name of a source, and the outcomes of each request that was committed.
    on_count: Callable[[str, Mapping[Outcome, int]], None]
    trusted_proxies: tuple[Network, ...]
    #: Whether people are remembered: whoever proves nothing must learn nothing of them.
    remembers: bool
    new_id: Callable[[], str] = random_id

    async def receive(self, request: Request) -> Response:
        """Answer one HTTP request. Raises RequestRefused and OutboxUnavailable."""
        source = self.sources.by_name.get(request.path_params["source"])
        if source is None:
            raise responses.RequestRefused(responses.UNKNOWN_SOURCE)
        request.state.source = source.name
        return await self._receive(request, source)

    async def _receive(self, request: Request, source: NamedSource) -> Response:
        is_pixel = request.method == "GET"
        if is_pixel and not source.takes_pixels:
            raise responses.RequestRefused(responses.NO_PIXEL)
        quotas = self.sources.quotas
        quotas.check(source.name)
        source.check_key(request.query_params.get("key", ""))
        failed = next((proof for proof in source.proofs if not proof.may_hold(request.headers)), None)
        if failed is not None:
            if await _is_ping(request, source):
                return responses.answer(responses.SUCCESS)
            raise source.refusal(failed, request.headers, now=self.clock())
        raw = b"null" if is_pixel else await receive(request, source.limits)
        size = await measured(raw, source.limits.max_decompressed_bytes)
        now = self.clock()
        for proof in source.proofs:
            if not await proof.holds(raw, size, request.headers, now=now):
                raise source.refusal(proof, request.headers, now=now)
        async with self.budget.held(raw, size, timeout_s=source.limits.request_timeout_s):
            quotas.charge(source.name, size=size)
            if source.reshape is None:
                return await self._keep_segments(request, source, raw, size, now)
            events = await self._mapped(request, source, source.reshape, raw, size, now)
            receipt = await self._accept(request, events, source, now)
        if is_pixel:
            return Response(_PIXEL, media_type="image/gif", headers=dict(_OF_PIXEL))
        return responses.answer(responses.receipt_json(receipt, source=source.name))

    async def _keep_segments(
        self, request: Request, source: NamedSource, raw: bytes, size: int, now: float
    ) -> Response:
        body = await open_body(raw, size, self.budget, source.limits)
        events = read_events(body, source.limits, Arrival.at(now, new_id=self.new_id))
        read = iter(with_gpc(events, request))
        only_first = source.is_signed_once(raw, size, request.headers)
        receipt = await self._accept(request, read, source, now, only_first=only_first)
        unusable = not body.several and responses.is_unusable(receipt)
        return responses.answer(responses.receipt_json(receipt, source=source.name), 422 if unusable else 200)

    async def _accept(
        self, request: Request, events: _Events, source: NamedSource, now: float, *, only_first: bool = False
    ) -> Receipt:
        is_covered = source.is_covered(request)
        intake = Intake(
            permitted(events, source),
            now,
            source=source.name,
            is_proven=source.is_proven and is_covered,
            is_relayed=source.is_known and is_covered,
        )
        receipt = await accept_signed(self.accepts, intake, only_first=only_first)
        self.sources.quotas.charge(source.name, events=len(receipt.events))
        self.on_count(source.name, receipt.counts)
        return responses.without_memory(receipt) if self.remembers and not intake.is_known else receipt

    async def _mapped(
        self, request: Request, source: NamedSource, reshape: Reshape, raw: bytes, size: int, now: float
    ) -> _Events:
        """Return the events that a source's file makes of a request, each when its turn comes."""
        if len(request.url.query) > _MAX_QUERY_CHARACTERS:
            raise responses.RequestRefused(responses.TOO_MANY)
        content = "json" if request.method == "GET" else body_reader_of(request.headers.get("content-type", ""))
        if content == "lines" and not responses.is_read_encoding(request):  # each line alone would be refused
            raise responses.RequestRefused(responses.UNSUPPORTED_ENCODING)
        requester = Requester.of(request, self.trusted_proxies)
        around = request_context(request, hidden=source.hidden_headers, ip=requester.ip)
        read = partial(read_or_refuse, arrival=Arrival.at(now, new_id=self.new_id))
        found = records(await decompress(raw, size), content, around, source.limits)
        events = _bounded(map(read, events_of(found, reshape)), source.limits.max_events)
        return iter(with_gpc(events, request))


def named_sources_router(webhook: NamedWebhook) -> APIRouter:
    """Build the route. The name of the source that sent a request is left in `request.state.source`."""
    handler = responses.answering_refusals(webhook.receive)
    router = APIRouter(tags=["webhook"])
    for method in (*WEBHOOK_METHODS, "GET"):
        router.add_api_route(
            "/webhook/{source}",
            handler,
            methods=[method],
            summary="Receive a pixel of a named source" if method == "GET" else "Receive what a named source sends",
            openapi_extra={
                "parameters": NAMED_PARAMETERS,
                **({} if method == "GET" else {"requestBody": NAMED_BODY}),
            },
            responses=NAMED_ANSWERS,
        )
    # answered here: whoever sends a shop's webhooks follows no redirection
    router.add_api_route("/webhook/{source}/", handler, methods=[*WEBHOOK_METHODS, "GET"], include_in_schema=False)
    return router


async def _is_ping(request: Request, source: NamedSource) -> bool:
    """Return whether a request only tests the address, as shops do at first. Of a large one nothing is read."""
    length = request.headers.get("content-length", "")
    if source.ping is None or not length.isdecimal() or len(length) > len(str(_MAX_PING_BYTES)):
        return False
    limits = replace(source.limits, max_body_bytes=_MAX_PING_BYTES)
    return int(length) <= _MAX_PING_BYTES and (await receive(request, limits)).startswith(source.ping)


def _bounded(events: _Events, most: int) -> _Events:
    """Yield the events. Raises RequestRefused where there are too many: one record may hold a list of them."""
    for number, event in enumerate(events):
        if number == most:
            raise responses.RequestRefused(responses.TOO_MANY)
        yield event
