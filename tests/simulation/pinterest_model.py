"""Pinterest, as far as a call can tell: it takes, refuses, fails, hangs, answers late or not at all."""

import asyncio  # noqa: TC003 - kept out of a type-checking block like everywhere else
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, TypeAlias

import httpx
import orjson

from tests.simulation.history import Call, History, Life
from tests.simulation.virtual_loop import Universe, VirtualLoop

#: How Pinterest may be while it is not well.
Mood: TypeAlias = Literal[
    "down", "broken", "unreachable", "hangs", "garbles", "cuts off", "rate limits", "blocks", "refuses"
]
#: In these it takes nothing.
TAKES_NOTHING: frozenset[Mood] = frozenset({"down", "unreachable", "rate limits", "blocks", "refuses"})

_STATUS: dict[Mood, int] = {"down": 503, "broken": 500, "rate limits": 429, "blocks": 401, "refuses": 400}
_WORDS = {"message": "no"}
#: How Pinterest answers a call with an event that makes calls fail; `None`: the connection is closed.
BREAKING: tuple[int | None, ...] = (500, 422, 403, None)


@dataclass(slots=True, kw_only=True)
class Spell:
    """A time in which Pinterest is in a mood, for a share of the calls."""

    mood: Mood
    began_at: float
    ended_at: float
    share: float


@dataclass(slots=True, kw_only=True)
class Pinterest:
    """The other side of all calls."""

    universe: Universe
    #: That nothing can kill.
    loop: VirtualLoop
    chance: Random
    history: History
    #: A call with one of them is refused whole.
    poison: frozenset[str]
    #: These are refused one by one.
    failing: frozenset[str]
    timeout_s: float
    #: A call with one of these events gets the answer `breaks_by`, which judges no event.
    breaking: frozenset[str] = frozenset()
    breaks_by: int | None = None
    spells: list[Spell] = field(default_factory=list)
    #: The token that it takes, and the one that its callers know.
    accepted: str = "t-0"
    token: str = "t-0"

    def transport(self, life: Life, loop: VirtualLoop) -> httpx.AsyncBaseTransport:
        """Return the way of one process to Pinterest."""
        return _Way(self, life, loop)

    def _mood(self) -> Mood | None:
        now = self.universe.now
        for spell in self.spells:
            if spell.began_at <= now < spell.ended_at and self.chance.random() < spell.share:
                return spell.mood
        return None

    def arrive(self, call: Call, token: str, reply: Callable[[httpx.Response | Exception, bool], None]) -> None:
        """Take a request, and send the answer on its way; `reply` takes it, and whether it tells all."""
        mood = self._mood()
        if token != self.accepted:
            mood = "blocks"
        delay_s = self.chance.choice((0.05, 0.1, 0.2, 0.5, 2.0))
        answer: httpx.Response | Exception
        is_exact = False
        if mood in TAKES_NOTHING:
            answer = httpx.ConnectError("no way") if mood == "unreachable" else self._refusal(mood)
        elif self.poison.intersection(call.events):
            answer, is_exact = httpx.Response(400, json=_WORDS), True
        elif self.breaking.intersection(call.events):
            answer = httpx.Response(self.breaks_by, json=_WORDS) if self.breaks_by else httpx.ReadError("closed")
        else:
            call.taken = tuple(event for event in call.events if event not in self.failing)
            answer, is_exact = self._verdicts(call), True
        match mood:
            case "broken" | "garbles" | "cuts off" | "hangs" if self.chance.random() < 0.3:
                call.taken = ()  # it broke before anything was taken
        match mood:
            case "broken":
                answer, is_exact = self._refusal(mood), False
            case "garbles":
                answer, is_exact = httpx.Response(200, content=b"<html>"), False
            case "cuts off":
                answer, is_exact = httpx.ReadError("cut off"), False
            case "hangs":
                is_exact, delay_s = False, self.timeout_s * 2
        self.loop.call_later(delay_s, reply, answer, is_exact)

    def _refusal(self, mood: Mood | None) -> httpx.Response:
        assert mood is not None
        headers = {"Retry-After": str(self.chance.choice((1, 5)))} if self.chance.random() < 0.3 else {}
        keeps = mood in {"down", "rate limits"}
        return httpx.Response(_STATUS[mood], json=_WORDS, headers=headers if keeps else {})

    def _verdicts(self, call: Call) -> httpx.Response:
        results = [
            {"status": "failed", "error_message": "bad"} if event in self.failing else {"status": "processed"}
            for event in call.events
        ]
        body: dict[str, Any] = {"num_events_received": len(results), "events": results}
        if self.failing.intersection(call.events):
            return httpx.Response(422, json={"message": "some", "details": body})
        return httpx.Response(200, json=body)


class _Way(httpx.AsyncBaseTransport):
    def __init__(self, pinterest: Pinterest, life: Life, loop: VirtualLoop) -> None:
        self._pinterest = pinterest
        self._life = life
        self._loop = loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pinterest = self._pinterest
        if self._loop.is_over:
            raise httpx.ConnectError("the process is dead")
        events = tuple(event["event_id"] for event in orjson.loads(request.content)["data"])
        call = Call(life=self._life, began_at=pinterest.universe.now, events=events)
        pinterest.history.calls.append(call)
        answer: asyncio.Future[tuple[httpx.Response | Exception, bool]] = self._loop.create_future()

        def deliver(what: httpx.Response | Exception, is_exact: bool) -> None:  # noqa: FBT001 - as `reply` takes it
            if not answer.done():
                answer.set_result((what, is_exact))

        def reply(what: httpx.Response | Exception, is_exact: bool) -> None:  # noqa: FBT001 - as `arrive` takes it
            self._loop.call_soon(deliver, what, is_exact)

        token = request.headers["Authorization"].removeprefix("Bearer ")
        way_s = pinterest.chance.choice((0.01, 0.05))
        pinterest.loop.call_later(way_s, pinterest.arrive, call, token, reply)
        got, call.is_exact = await answer
        if isinstance(got, Exception):
            raise got
        return got
