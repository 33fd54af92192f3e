"""/webhook: what the webhook destinations of Segment (by POST, PUT or PATCH) and RudderStack send.

The answer comes after the commit and is a receipt. An array is always answered 200, since one bad event must not make
the sender repeat a thousand; a single event is answered 422 where nothing of it can ever be used.
"""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.config.settings import SenderSettings
from app.core.events import DEFAULT_SOURCE
from app.core.refusals import FailedCheck
from app.source.auth import WebhookSecrets, proves_authors
from app.source.body import Limits, MemoryBudget, measured, open_body, read_events, receive
from app.source.event import AcceptsIntake, Arrival, Intake, accept_signed, random_id
from app.source.openapi import WEBHOOK_ANSWERS, WEBHOOK_BODY
from app.source.received_request import with_gpc
from app.source.responses import (
    CLOSED,
    UNAUTHENTICATED,
    RequestRefused,
    answer,
    answering_refusals,
    is_unusable,
    receipt_json,
)
from app.source.signatures import is_of_first, is_signed

#: What Segment's webhook destination can be set to, mapping by mapping.
WEBHOOK_METHODS = ("POST", "PUT", "PATCH")


def webhook_router(
    accepts: AcceptsIntake,
    settings: SenderSettings,
    secrets: WebhookSecrets,
    *,
    clock: Callable[[], float],
    budget: MemoryBudget,
    new_id: Callable[[], str] = random_id,
) -> APIRouter:
    """Build the route; `budget` is that of all requests of the process. `secrets` may change while it serves."""
    limits, is_open = Limits.of_webhook(settings), not settings.authenticated
    is_proven = proves_authors(settings, DEFAULT_SOURCE)

    async def receive_events(request: Request) -> Response:
        raw, size, only_first = await _receive_proven(request, limits, secrets, is_open=is_open)
        async with budget.held(raw, size, timeout_s=limits.request_timeout_s):
            body = await open_body(raw, size, budget, limits)
            now = clock()
            events = read_events(body, limits, Arrival.at(now, new_id=new_id))
            intake = Intake(with_gpc(events, request), now, is_proven=is_proven, is_relayed=True)
            receipt = await accept_signed(accepts, intake, only_first=only_first)
        return answer(receipt_json(receipt), 422 if not body.several and is_unusable(receipt) else 200)

    handler = answering_refusals(receive_events, DEFAULT_SOURCE)
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


async def _receive_proven(
    request: Request, limits: Limits, secrets: WebhookSecrets, *, is_open: bool
) -> tuple[bytes, int, bool]:
    """Return the body as sent by somebody who proves who it is, its size without gzip, and what is not signed.

    True where a signature covers the first event only. Raises RequestRefused.
    """
    shared, header = secrets.shared, secrets.header  # they may be changed while the body comes
    if not (shared or header or is_open):
        raise RequestRefused(CLOSED, FailedCheck("no secret is set", "WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER"))
    if cause := _missing_proof(request, secrets):
        raise RequestRefused(UNAUTHENTICATED, cause)
    raw = await receive(request, limits)
    size = await measured(raw, limits.max_decompressed_bytes)
    if not shared:
        return raw, size, False
    signature = request.headers.get("x-signature")
    if not await is_signed(raw, size, signature, shared):
        raise RequestRefused(UNAUTHENTICATED, FailedCheck("bad signature", "WEBHOOK_SHARED_SECRETS"))
    return raw, size, header is None and is_of_first(raw, size, signature, shared)


def _missing_proof(request: Request, secrets: WebhookSecrets) -> FailedCheck | None:
    """Return the check that fails before the body is read; None if none does."""
    if secrets.shared and "x-signature" not in request.headers:
        return FailedCheck("missing signature", "WEBHOOK_SHARED_SECRETS")
    if secrets.header is not None and not secrets.header.is_in(request.headers):
        cause = "wrong secret" if secrets.header.name in request.headers else "missing secret"
        return FailedCheck(cause, "WEBHOOK_HEADER")
    return None
