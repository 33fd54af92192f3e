"""The sandbox as a web application: Pinterest's endpoint under `/v5`, and pages and settings for people.

POST /v5/ad_accounts/{ad_account_id}/events   Pinterest's endpoint
GET  /v5/ad_accounts/{ad_account_id}...       its figures: see `ads_api.py`
GET  /                                        exact counts
GET  /events /duplicates /calls               the newest, newest first (?limit=, /events also ?event_id=)
GET  /deletions                               deletion requests: see `deletions.py`
PUT  /script                                  misbehave: see `script.py`; `{"steps": []}` ends it
PUT  /clock                                   `{"ahead_s": 259200}`: move its clock ahead
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.ads_api import Account, AdsFigures
from app.sandbox.answers import CutAnswer, account_refusal, error, instead_of, json_answer, results, token_shown
from app.sandbox.deletions import Deletions
from app.sandbox.judge import Verdict, call_problem, verdict
from app.sandbox.record import REMEMBERED, Record, RecordedCall
from app.sandbox.script import Orders, Script, Step, compiled

_AS_USUAL = Step()


def create_sandbox(
    *,
    account: Account | None = None,
    path: Path | None = None,
    max_body_bytes: int = 16_000_000,
    remembered: int = REMEMBERED,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Create the application, to be served alone or mounted.

    `path` stores received events across restarts; duplicates are recognised among the last `remembered` events.
    """
    sandbox = Sandbox(account or Account(), Record(path=path, remembered=remembered), max_body_bytes, clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        sandbox.record.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v5/ad_accounts/{ad_account_id}/events", sandbox.receive, methods=["POST"]),
            *sandbox.deletions.routes(),
            *sandbox.figures.routes(),
            Route("/", sandbox.show_state),
            Route("/events", sandbox.show_events),
            Route("/duplicates", sandbox.show_duplicates),
            Route("/calls", sandbox.show_calls),
            Route("/script", sandbox.take_script, methods=["PUT", "POST"]),
            Route("/clock", sandbox.take_clock, methods=["PUT", "POST"]),
        ],
    )


class Sandbox:
    """Pinterest, as a destination sees it."""

    def __init__(self, account: Account, record: Record, max_body_bytes: int, clock: Callable[[], float]) -> None:
        self.record = record
        self._account = account
        self._max_body_bytes = max_body_bytes
        self._ahead_s = 0.0
        self._clock: Callable[[], float] = lambda: clock() + self._ahead_s
        self.figures = AdsFigures(record, account, self._clock)
        self._script = Script(Orders(steps=[]))
        self.deletions = Deletions(
            self.figures.deletion_refusal, lambda: self._script.next((), "deletions") or _AS_USUAL, self._clock
        )

    async def receive(self, request: Request) -> Response:
        """Handle a call of Pinterest's endpoint: misbehave according to the script, or validate the events."""
        raw = await request.body()
        body = _parsed(raw)
        step = self._script.next(_event_ids(body)) or _AS_USUAL
        await asyncio.sleep(step.delay_s)
        processed, answer = self._answer(request, raw, body, step)
        test = request.query_params.get("test") == "true"
        recorded = [] if test else processed
        self.record.add(recorded)
        status = None if isinstance(answer, CutAnswer) else answer.status_code
        call = RecordedCall(
            at=self._clock(), status=status, events=len(_event_ids(body)), recorded=len(recorded), test=test
        )
        self.record.called(call)
        return answer

    def _answer(self, request: Request, raw: bytes, body: Any, step: Step) -> tuple[list[dict[str, Any]], Response]:
        processed, usual = self._usual(request, raw, body, step)
        answer = instead_of(usual, step)
        return (processed if answer is usual or step.record or step.half else []), answer

    def _usual(self, request: Request, raw: bytes, body: Any, step: Step) -> tuple[list[dict[str, Any]], Response]:
        refusal = self._refusal(request) or self._unreadable(raw, body, step)
        if refusal:
            return [], refusal
        now = self._clock()
        events = body["data"]
        verdicts = [verdict(event, now, event_names=self._account.event_names) for event in events]
        if step.reject:
            failed = Verdict(error="The sandbox was told to fail this event", warning="")
            matches = compiled(step.reject).search
            verdicts = [
                failed if matches(event["event_id"]) else each for event, each in zip(events, verdicts, strict=True)
            ]
        return [event for event, each in zip(events, verdicts, strict=True) if not each.error], results(verdicts)

    def _refusal(self, request: Request) -> Response | None:
        token = token_shown(request)
        wanted = self._account.token.get_secret_value() if self._account.token else token
        if not token or token != wanted:
            return error(401)
        if request.query_params.get("test", "true") not in ("true", "false"):
            return error(400, "Invalid request: test is not of type 'boolean'")
        return account_refusal(request, self._account.ad_account_id)

    def _unreadable(self, raw: bytes, body: Any, step: Step) -> Response | None:
        if len(raw) > self._max_body_bytes:
            return error(413, "The request body is too large.")
        if body is None:
            return error(400)
        problem = call_problem(body)
        if problem is None and step.poison:
            problem = "The sandbox was told to refuse a call with this event"
        return error(400, f"Invalid request: {problem}") if problem else None

    async def show_state(self, _: Request) -> Response:
        return json_answer(self.record.state())

    async def show_events(self, request: Request) -> Response:
        """Return the newest events."""
        event_id = request.query_params.get("event_id")
        return json_answer(self.record.events(limit=_limit(request), event_id=event_id))

    async def show_duplicates(self, request: Request) -> Response:
        return json_answer(self.record.duplicates(limit=_limit(request)))

    async def show_calls(self, request: Request) -> Response:
        return json_answer(self.record.calls(limit=_limit(request)))

    async def take_script(self, request: Request) -> Response:
        """Replace the script."""
        try:
            orders = Orders.model_validate_json(await request.body())
        except ValidationError as exc:
            faults = [f"/{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in exc.errors()]
            return json_answer({"faults": faults}, status=400)
        self._script = Script(orders)
        return Response(status_code=204)

    async def take_clock(self, request: Request) -> Response:
        """Move the clock ahead of the machine's clock, to test processes that take days."""
        asked = _parsed(await request.body())
        ahead_s = asked.get("ahead_s") if isinstance(asked, dict) else None
        if not isinstance(ahead_s, int | float) or isinstance(ahead_s, bool):
            return json_answer({"faults": ["/ahead_s: must be a number of seconds, such as 259200"]}, status=400)
        self._ahead_s = ahead_s
        return Response(status_code=204)


def _parsed(raw: bytes) -> Any:
    """Parse JSON; `None` if it is invalid."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _event_ids(body: Any) -> list[str]:
    """Return the id of each event, as far as the call is readable."""
    events = body.get("data") if isinstance(body, dict) else None
    members = events if isinstance(events, list) else []
    return [str(event.get("event_id")) if isinstance(event, dict) else "" for event in members]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "")
    return int(text) if text.isdecimal() else 100
