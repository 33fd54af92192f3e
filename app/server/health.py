"""What machines ask of a process: is it alive, can it keep events, how is delivery."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import RedirectResponse

from app.coordination import Coordination
from app.delivery import STANDING_STATES, Standing, read_standings
from app.errors import OutboxUnavailable
from app.metrics import Metrics
from app.shared_values import SharedValues
from app.types import Backlog


class _StatusOutbox(SharedValues, Protocol):
    async def check(self) -> None: ...

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that the answers are made of."""

    outbox: _StatusOutbox
    coordination: Coordination
    metrics: Metrics
    ad_account_id: str
    #: `live` or `sandbox`.
    mode: str
    role: str
    #: Whether events are kept while the destination is switched off.
    keeps_while_off: bool
    clock: Callable[[], float]

    async def delivery(self) -> dict[str, Any]:
        """Describe how sending goes. Raises OutboxUnavailable."""
        now = self.clock()
        backlog = await self.outbox.backlog(self.ad_account_id, now=now)
        found = await self.standings(now=now)
        return {
            "state": found[0].state if found else "sending",
            "reason": found[0].words if found else "",
            "standings": [
                {name: value for name, value in asdict(standing).items() if value is not None} for standing in found
            ],
            "pending": backlog.pending,
            "claimed": backlog.claimed,
            "dead": backlog.dead,
            "waiting_bytes": backlog.size_bytes,
            "oldest_age_s": 0 if backlog.oldest_at is None else round(max(0.0, now - backlog.oldest_at), 1),
        }

    async def why_not_ready(self) -> str:
        """Return why no event can be kept, as OutboxUnavailable says it; "" where they can."""
        try:
            await self.outbox.check()
        except OutboxUnavailable as exc:
            return exc.why
        return ""

    async def standings(self, *, now: float) -> list[Standing]:
        """Return everything that keeps delivery from being well. Raises OutboxUnavailable."""
        return await read_standings(
            self.outbox,
            self.ad_account_id,
            switched_off=self.coordination.switches.destination_off,
            keeps=self.keeps_while_off,
            now=now,
        )


def status_router(status: Status) -> APIRouter:
    """Build /healthz, /readyz and /metrics."""
    router = APIRouter(tags=["status"])

    @router.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/console", 303)

    @router.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="Can events be kept?", responses={503: {"description": "They cannot."}})
    async def readyz() -> JSONResponse:
        known = {"mode": status.mode, "role": status.role, "generation": status.coordination.generation}
        try:
            await status.outbox.check()
            delivery = await status.delivery()
        except OutboxUnavailable as exc:
            found = {"ready": False, "why": exc.why, "reason": str(exc), **known}
            return JSONResponse(found, 503, {"Retry-After": str(exc.retry_after_s)})
        return JSONResponse({"ready": True, **known, "delivery": delivery})

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        now, why = status.clock(), await status.why_not_ready()
        try:
            backlog = await status.outbox.backlog(status.ad_account_id, now=now)
            found = await status.standings(now=now)
        except OutboxUnavailable as exc:
            backlog, found, why = None, [], exc.why
        lasting = {standing.state: now - (standing.since or now) for standing in found}
        states: dict[str, float | None] = {state: lasting.get(state) for state in STANDING_STATES}
        blocked = next((standing.words for standing in found if standing.state == "blocked"), "")
        text = status.metrics.render(backlog, blocked, states, why=why, now=now)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
