"""/webhook/{source}: what sources with a name send, each with its own proofs, bounds and consent, and JSON of its own.

A source of kind `segment` brings Segment's events, as /webhook does. One of kind `mapped` brings any JSON, which its
file makes into Segment events. What such a source sends is answered 200 once it is committed, whatever becomes of it:
shops strike a webhook off after a few errors, and an event that is no good does not become good by coming again.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from fastapi import APIRouter, Request, Response

from app.core.events import Event, Exit
from app.core.receipts import Receipt
from app.core.values.addresses import Network
from app.errors import EventRefused
from app.source.accepts import Accepts
from app.source.body import open_body, read_events
from app.source.documentation import NAMED_ANSWERS, NAMED_BODY, NAMED_PARAMETERS
from app.source.event import Arrival, random_id, read_or_refuse
from app.source.named_sources import NamedSource, NamedSources, Reshape, events_of, permitted
from app.source.raw_records import around_body, content_of, records
from app.source.receive import receive
from app.source.refusal import NO_PIXEL, TOO_MANY, UNAUTHENTICATED, UNKNOWN_SOURCE, RequestRefused
from app.source.requester import Requester, with_gpc
from app.source.responses import SUCCESS, answer, discreet, is_unusable, receipt_json, refusing
from app.source.unpacking import MemoryBudget, unpack, unpacked_size
from app.source.webhook import WEBHOOK_METHODS

_MAX_QUERY_CHARACTERS: Final = 16_384
_MAX_PING_BYTES: Final = 200
#: One transparent point.
_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_OF_PIXEL: Final = MappingProxyType({"Cache-Control": "no-store"})

_Events: TypeAlias = Iterator[Event | EventRefused]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWebhook:
    """Receives the requests of named sources, with what it needs for that."""

    accepts: Accepts
    sources: NamedSources
    clock: Callable[[], float]
    #: That of all requests of the process.
    budget: MemoryBudget
    #: Told the name of a source, and the exits of each request that was committed.
    on_count: Callable[[str, Mapping[Exit, int]], None]
    trusted_proxies: tuple[Network, ...]
    #: Whether people are remembered: whoever proves nothing must learn nothing of them.
    remembers: bool
    new_id: Callable[[], str] = random_id

    async def receive(self, request: Request) -> Response:
        """Answer one HTTP request. Raises RequestRefused and OutboxUnavailable."""
        source = self.sources.by_name.get(request.path_params["source"])
        if source is None:
            raise RequestRefused(UNKNOWN_SOURCE)
        request.state.source = source.name
        return await self._receive(request, source)

    async def _receive(self, request: Request, source: NamedSource) -> Response:
        is_pixel = request.method == "GET"
        if is_pixel and not source.takes_pixels:
            raise RequestRefused(NO_PIXEL)
        quotas = self.sources.quotas
        quotas.check(source.name)
        if not all(proof.may_hold(request.headers) for proof in source.proofs):
            if await _is_ping(request, source):
                return answer(SUCCESS)
            raise RequestRefused(UNAUTHENTICATED)
        raw = b"null" if is_pixel else await receive(request, source.limits)
        size = unpacked_size(raw, source.limits.max_unpacked_bytes)
        now = self.clock()
        for proof in source.proofs:
            if not await proof.holds(raw, size, request.headers, now=now):
                raise RequestRefused(UNAUTHENTICATED)
        async with self.budget.held(raw, size, timeout_s=source.limits.request_timeout_s):
            quotas.charge(source.name, size=size)
            if source.reshape is None:
                return await self._keep_segments(request, source, raw, size, now)
            events = await self._mapped(request, source, source.reshape, raw, size, now)
            receipt = await self._accept(events, source, now)
        if is_pixel:
            return Response(_PIXEL, media_type="image/gif", headers=dict(_OF_PIXEL))
        return answer(receipt_json(receipt, source=source.name))

    async def _keep_segments(
        self, request: Request, source: NamedSource, raw: bytes, size: int, now: float
    ) -> Response:
        """Keep Segment's events, and answer as /webhook does."""
        body = await open_body(raw, size, self.budget, source.limits)
        events = read_events(body, source.limits, Arrival.at(now, new_id=self.new_id))
        read = iter(with_gpc(events, request))
        receipt = await self._accept(read, source, now)
        unusable = not body.several and is_unusable(receipt)
        return answer(receipt_json(receipt, source=source.name), 422 if unusable else 200)

    async def _accept(self, events: _Events, source: NamedSource, now: float) -> Receipt:
        of_source = permitted(events, source)
        receipt = await self.accepts.accept(of_source, now=now, source=source.name, is_proven=source.is_proven)
        self.sources.quotas.charge(source.name, events=len(receipt.events))
        self.on_count(source.name, receipt.counts)
        return discreet(receipt) if self.remembers and not source.is_proven else receipt

    async def _mapped(
        self, request: Request, source: NamedSource, reshape: Reshape, raw: bytes, size: int, now: float
    ) -> _Events:
        """Return the events that a source's file makes of a request, each when its turn comes."""
        if len(request.url.query) > _MAX_QUERY_CHARACTERS:
            raise RequestRefused(TOO_MANY)
        content = "json" if request.method == "GET" else content_of(request.headers.get("content-type", ""))
        requester = Requester.of(request, self.trusted_proxies)
        around = around_body(request, hidden=source.hidden_headers, ip=requester.ip)
        read = partial(read_or_refuse, arrival=Arrival.at(now, new_id=self.new_id))
        found = records(await unpack(raw, size), content, around, source.limits)
        events = _bounded(map(read, events_of(found, reshape)), source.limits.max_events)
        return iter(with_gpc(events, request))


def named_sources_router(webhook: NamedWebhook) -> APIRouter:
    """Build the route. The name of the source that sent a request is left in `request.state.source`."""
    handler = refusing(webhook.receive)
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
            raise RequestRefused(TOO_MANY)
        yield event
