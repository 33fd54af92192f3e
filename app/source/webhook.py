"""/webhook: what the webhook destinations of Segment (by POST, PUT or PATCH) and RudderStack send.

The answer comes after the commit and is a receipt. An array is always answered 200, since one bad event must not make
the sender repeat a thousand; a single event is answered 422 where nothing of it can ever be used.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from app.source.accepts import Accepts, Intake
from app.source.auth import WebhookSecrets
from app.source.body import Limits, open_body, read_events, receive
from app.source.decompression import MemoryBudget, unpacked_size
from app.source.event import Arrival, random_id
from app.source.openapi import WEBHOOK_ANSWERS, WEBHOOK_BODY
from app.source.received_request import with_gpc
from app.source.responses import UNAUTHENTICATED, RequestRefused, answer, is_unusable, receipt_json, refusing
from app.source.signatures import is_signed

#: What Segment's webhook destination can be set to, mapping by mapping.
WEBHOOK_METHODS = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRules:
    """Who may use the webhook, and how much one request may hold."""

    limits: Limits
    secrets: WebhookSecrets
    #: Taken where neither of the two is asked for: True only while nothing at all has to be proven.
    is_open: bool


def webhook_router(
    accepts: Accepts,
    rules: WebhookRules,
    *,
    clock: Callable[[], float],
    budget: MemoryBudget,
    new_id: Callable[[], str] = random_id,
) -> APIRouter:
    """Build the route; `budget` is that of all requests of the process."""

    async def receive_events(request: Request) -> Response:
        raw, size = await _receive_proven(request, rules)
        async with budget.held(raw, size, timeout_s=rules.limits.request_timeout_s):
            body = await open_body(raw, size, budget, rules.limits)
            now = clock()
            events = read_events(body, rules.limits, Arrival.at(now, new_id=new_id))
            receipt = await accepts.accept(Intake(with_gpc(events, request), now, is_proven=True))
        return answer(receipt_json(receipt), 422 if not body.several and is_unusable(receipt) else 200)

    handler = refusing(receive_events)
    router = APIRouter(tags=["webhook"])
    for method in WEBHOOK_METHODS:
        router.add_api_route(
            "/webhook",
            handler,
            methods=[method],
            summary="Receive one Segment event, or an array of them",
            openapi_extra={"requestBody": WEBHOOK_BODY},
            responses=WEBHOOK_ANSWERS,
        )
    router.add_api_route("/webhook/", handler, methods=list(WEBHOOK_METHODS), include_in_schema=False)
    return router


async def _receive_proven(request: Request, rules: WebhookRules) -> tuple[bytes, int]:
    """Return the body as sent by somebody who proves who it is, and its size without gzip. Raises RequestRefused."""
    secrets = rules.secrets.shared  # they may be changed while the body comes
    if not _may_send(request, rules):
        raise RequestRefused(UNAUTHENTICATED)
    raw = await receive(request, rules.limits)
    size = unpacked_size(raw, rules.limits.max_unpacked_bytes)
    if secrets and not await is_signed(raw, size, request.headers.get("x-signature"), secrets):
        raise RequestRefused(UNAUTHENTICATED)
    return raw, size


def _may_send(request: Request, rules: WebhookRules) -> bool:
    """Judge what can be judged before the body is read."""
    secrets = rules.secrets
    if secrets.shared and "x-signature" not in request.headers:
        return False
    if secrets.header is not None:
        return secrets.header.is_in(request.headers)
    return rules.is_open or bool(secrets.shared)
