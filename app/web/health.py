"""Health checks and metrics: /healthz, /readyz and /metrics."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import Metric
from starlette.responses import RedirectResponse

from app.config import Settings
from app.core.coordination import Coordination
from app.core.metrics import AccountFigures, Metrics
from app.core.pages import AccountView, Backlog
from app.errors import OutboxUnavailable
from app.outbox import Outbox
from app.sender.status import (
    PROBLEM_STATES,
    AccountStatus,
    DeliveryProblem,
    all_delivery_problems,
    read_accounts,
    total_backlog,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The data of the responses."""

    outbox: Outbox
    coordination: Coordination
    metrics: Metrics
    accounts: tuple[AccountView, ...]
    role: str
    settings: Settings
    #: Returns why a restart is needed; "" if none is needed.
    restart_notice: Callable[[], str] = str
    clock: Callable[[], float]

    async def delivery(self) -> dict[str, Any]:
        """Return the state of delivery: for all, and for each named ad account. Raises OutboxUnavailable."""
        now = self.clock()
        found = await self.accounts_now(now=now)
        told = _told(all_delivery_problems(found), total_backlog(found), now)
        named = [each for each in found if each.account.name]
        if not named:
            return told
        destinations = [
            {
                "name": each.account.name,
                "ad_account_id": each.account.ad_account_id,
                "mode": _mode([each.account]),
                **_told(each.problems, each.backlog, now),
            }
            for each in named
        ]
        return {**told, "destinations": destinations}

    async def check(self) -> None:
        """Raise OutboxUnavailable unless events can be stored for at least one ad account."""
        await self.outbox.check([each.ad_account_id for each in self.accounts])

    async def figures(self) -> tuple[list[AccountFigures], str]:
        """Return the figures of each ad account, and why no event can be stored; "" if events can be stored."""
        why = ""
        try:
            await self.check()
        except OutboxUnavailable as exc:
            why = exc.why
        try:
            found = await self.accounts_now(now=self.clock())
        except OutboxUnavailable as exc:
            return [], exc.why
        return [_figures(each, self.clock()) for each in found], why

    async def families(self) -> list[Metric]:
        """Return all metrics of this process."""
        found, why = await self.figures()
        return self.metrics.families(found, why=why, now=self.clock())

    async def accounts_now(self, *, now: float) -> list[AccountStatus]:
        """Return the state of delivery of each ad account. Raises OutboxUnavailable."""
        switches = self.coordination.switches
        return await read_accounts(self.outbox, self.accounts, self.settings, switches=switches, now=now)


def _mode(accounts: Sequence[AccountView]) -> str:
    return "live" if any(account.live for account in accounts) else "sandbox"


def _told(found: Sequence[DeliveryProblem], backlog: Backlog, now: float) -> dict[str, Any]:
    return {
        "state": found[0].state if found else "sending",
        "reason": found[0].words if found else "",
        "problems": [
            {name: value for name, value in asdict(problem).items() if value is not None} for problem in found
        ],
        "pending": backlog.pending,
        "claimed": backlog.claimed,
        "dead": backlog.dead,
        "waiting_bytes": backlog.size_bytes,
        "oldest_age_s": 0 if backlog.oldest_at is None else round(max(0.0, now - backlog.oldest_at), 1),
        "full_in_s": None if backlog.full_in_s is None else round(backlog.full_in_s),
    }


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
        known = {"mode": _mode(status.accounts), "role": status.role, "generation": status.coordination.generation}
        known |= {"restart": notice} if (notice := status.restart_notice()) else {}
        try:
            await status.check()
            delivery = await status.delivery()
        except OutboxUnavailable as exc:
            found = {"ready": False, "why": exc.why, "reason": str(exc), **known}
            return JSONResponse(found, 503, {"Retry-After": str(exc.retry_after_s)})
        return JSONResponse({"ready": True, **known, "delivery": delivery})

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        found, why = await status.figures()
        accept = request.headers.get("accept", "")
        text, content_type = status.metrics.render(found, why=why, now=status.clock(), accept=accept)
        return Response(text, media_type=content_type)

    return router


def _figures(found: AccountStatus, now: float) -> AccountFigures:
    lasting = {problem.state: now - (problem.since or now) for problem in found.problems}
    return AccountFigures(
        destination=found.account.name,
        backlog=found.backlog,
        blocked=next((problem.words for problem in found.problems if problem.state == "blocked"), ""),
        states={state: lasting.get(state) for state in PROBLEM_STATES},
    )
