"""Segment's HTTP Tracking API, as every Segment and RudderStack SDK speaks it: its host is pointed here.

SDKs differ in path, content type, compression and where they put the write key, so all of these are read from what
arrives. The answer is exactly 200 {"success": true} after the commit: what became of each event stands in the ledger.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import APIRouter, Request, Response

from app.errors import EventRefused, OutboxUnavailable
from app.source.accepts import Accepts
from app.source.auth import WriteKeys, basic_user
from app.source.body import Body, Limits, read_body, read_events, unpack
from app.source.documentation import BATCH_BODY, CALL_BODY, TRACKING_ANSWERS
from app.source.event import Arrival, random_id
from app.source.proxy import Network
from app.source.receive import receive
from app.source.refusal import UNAUTHENTICATED, RequestRefused
from app.source.requester import Requester
from app.source.responses import answer, answer_refusal, answer_unavailable, refusal_json
from app.types import DEFAULT_SOURCE, Event

#: The call that a path means, where the event does not say it itself; browser and mobile SDKs use the letters.
_CALLS = {"track": "t", "page": "p", "screen": "s", "identify": "i", "group": "g", "alias": "a"}
_BATCHES = ("/v1/batch", "/v1/import")
#: The last is where RudderStack's browser SDK sends when a page closes, with the write key in the query.
_OTHER_BATCHES = ("/v1/batch/", "/v1/import/", "/v1/b", "/v1/b/", "/beacon/v1/batch")
#: Where analytics-next reports on itself.
_METRICS = ("/v1/m", "/v1/m/")

_SUCCESS = b'{"success": true}'
_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingRules:
    """Who may use the Tracking API, and how much one request may hold."""

    limits: Limits
    write_keys: WriteKeys
    #: Taken without a write key: True only while nothing at all has to be proven.
    is_open: bool
    #: Whose X-Forwarded-For is believed.
    trusted_proxies: tuple[Network, ...] = ()


def tracking_router(
    accepts: Accepts, rules: TrackingRules, *, clock: Callable[[], float], new_id: Callable[[], str] = random_id
) -> APIRouter:
    """Build the routes. The name of the source that sent a request is left in `request.state.source`."""
    api = _TrackingApi(accepts, rules, clock, new_id)
    router = APIRouter(tags=["tracking"])
    for path in _BATCHES:
        _add(router, path, api.events_handler(None), "Receive a batch of events", BATCH_BODY)
    for path in _OTHER_BATCHES:
        _add(router, path, api.events_handler(None))
    for call, letter in _CALLS.items():
        _add(router, f"/v1/{call}", api.events_handler(call), f"Receive one {call} event", CALL_BODY)
        for path in (f"/v1/{call}/", f"/v1/{letter}", f"/v1/{letter}/"):
            _add(router, path, api.events_handler(call))
    for path in _METRICS:
        _add(router, path, _refusing(api.discard))
    return router


def _add(
    router: APIRouter, path: str, handler: _Handler, summary: str = "", body: dict[str, object] | None = None
) -> None:
    """Add one path; without a body it is another spelling, which the OpenAPI document leaves out."""
    router.add_api_route(
        path,
        handler,
        methods=["POST"],
        include_in_schema=body is not None,
        summary=summary,
        openapi_extra={"requestBody": body},
        responses=TRACKING_ANSWERS,
    )


def _refusing(handle: _Handler) -> _Handler:
    """Turn refusals into answers."""

    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await handle(request)
        except RequestRefused as exc:
            return answer_refusal(exc.refusal)
        except OutboxUnavailable as exc:
            return answer_unavailable(exc)

    return answer_or_refuse


class _TrackingApi:
    """The handlers, with what they need."""

    def __init__(
        self, accepts: Accepts, rules: TrackingRules, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._accepts = accepts
        self._rules = rules
        self._clock = clock
        self._new_id = new_id

    def events_handler(self, call: str | None) -> _Handler:
        """Build the handler of one path; `call` is the type of an event that names none."""

        async def receive_call(request: Request) -> Response:
            return await self._receive(request, call)

        return _refusing(receive_call)

    async def discard(self, request: Request) -> Response:
        """Thank for an SDK's report on itself, which nobody needs."""
        await receive(request, self._rules.limits)
        return answer(_SUCCESS)

    async def _receive(self, request: Request, call: str | None) -> Response:
        limits = self._rules.limits
        body = read_body(unpack(await receive(request, limits), limits.max_unpacked_bytes))
        request.state.source = self._source(request, body)
        if call is not None and not body.several:
            _name_type(body.members[0], call)
        now = self._clock()
        events = list(read_events(body, limits, Arrival.at(now, from_device=True, new_id=self._new_id)))
        requester = Requester.of(request, self._rules.trusted_proxies)
        for event in events:
            if not isinstance(event, EventRefused):
                requester.complete(event)
        await self._accepts.accept(events, now=now, source=request.state.source or DEFAULT_SOURCE)
        return _answer_events(events, body)

    def _source(self, request: Request, body: Body) -> str | None:
        """Return the name of the source whose write key the request has; None where anybody may send.

        Raises RequestRefused where it has none of ours.
        """
        source = self._rules.write_keys.source(
            basic_user(request.headers.get("authorization")),
            body.top.get("writeKey"),
            request.query_params.get("writeKey"),
        )
        if source is None and not self._rules.is_open:
            raise RequestRefused(UNAUTHENTICATED)
        return source


def _name_type(event: Any, call: str) -> None:
    """Set the type that the path means, in an event that names none."""
    if isinstance(event, dict) and event.get("type") in (None, ""):
        event["type"] = call


def _answer_events(events: Sequence[Event | EventRefused], body: Body) -> Response:
    """Answer HTTP 200 whatever became of the events of a batch; 400 where the only event could not be read.

    SDKs drop what is answered 400: right for one event, but not for the rest of a batch.
    """
    if not body.several and isinstance(events[0], EventRefused):
        return answer(refusal_json("event_refused", events[0].reason), 400)
    return answer(_SUCCESS)
