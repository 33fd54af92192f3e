"""Reads every hour what Pinterest says, by one process, and keeps it for all. It is never in the way of sending."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec
from pydantic import SecretStr

from app.delivery import Shutdown
from app.destination.client import Answer, Failure
from app.errors import OutboxUnavailable
from app.outbox.storing import DAY_S, HOUR_S
from app.reports.ads_client import AdsClient
from app.reports.ads_tokens import AdsToken, NoToken
from app.reports.pinterest_answers import (
    BY_CLICK,
    BY_VIEW,
    CHECKOUTS,
    CLICK_DAYS,
    VALUE,
    VIEW_DAYS,
    read_account_currency,
    read_attributed,
    read_event_names,
    read_quality,
)
from app.shared_values import PINTEREST_VIEWS, REPORTS_TURN, SharedValues, Turn
from app.types import PinterestView

#: How often it is looked whether the hour is over.
LOOK_S: Final = 60.0
#: So many days are asked for.
REPORTED_DAYS: Final = 14
_REFUSED: Final = frozenset({401, 403})
_OK, _TOO_MANY = 200, 429


class _Trouble(Exception):
    """Why it cannot be read."""

    def __init__(self, why: str, *, is_over: bool = False, retry_after_s: float = 0) -> None:
        super().__init__(why)
        self.is_over = is_over
        self.retry_after_s = retry_after_s


class _Question(NamedTuple):
    """One call: which member of the view it fills, and how."""

    member: str
    path: str
    params: Mapping[str, str]
    read: Callable[[Any], Any]


class HourlyReading:
    """A background task: `run` until `stop`."""

    def __init__(
        self,
        shared: SharedValues,
        client: AdsClient,
        token: AdsToken,
        *,
        ad_account_ids: Sequence[str],
        event_names: Sequence[str],
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
        on_trouble: Callable[[str, str], None],
    ) -> None:
        """Take what to read. `on_trouble` is told the ad account and why it cannot be read, once while it lasts."""
        self._shared = shared
        self._client = client
        self._token = token
        self._ad_account_ids = ad_account_ids
        self._event_names = tuple(event_names)
        self._clock = clock
        self._on_error = on_error
        self._on_trouble = on_trouble
        self._shutdown = Shutdown()

    async def run(self) -> None:
        """Look every minute until `stop`; then close the connections. An outbox that is away is asked again later."""
        while not self._shutdown.requested:
            try:
                await self.look()
            except OutboxUnavailable as exc:
                self._on_error(exc)
            await self._shutdown.rest(LOOK_S)
        await self._client.close()

    def stop(self) -> None:
        """End `run` after the look under way."""
        self._shutdown.request()

    async def look(self) -> bool:
        """Read all ad accounts where the hour is over and no other process does; return whether it was done."""
        now = self._clock()
        turn = await REPORTS_TURN.read_revised(self._shared)
        # what lies further ahead was written by a clock that has been set back since
        if turn.value and 0 < turn.value.next_at - now <= DAY_S:
            return False
        taken = await REPORTS_TURN.write(self._shared, Turn(next_at=now + HOUR_S), revision=turn.revision)
        if taken is None:
            return False
        wait_s = max([await self._read(account, now) for account in self._ad_account_ids])
        if wait_s > HOUR_S:
            await REPORTS_TURN.write(self._shared, Turn(next_at=now + min(wait_s, DAY_S)), revision=taken)
        return True

    async def _read(self, account: str, now: float) -> float:
        """Read one ad account; return for how long Pinterest wants to be left alone."""
        before = await PINTEREST_VIEWS.read(self._shared, account) or PinterestView(our_names=self._event_names)
        try:
            found = {each.member: await self._asked(each, now) for each in _questions(account, now)}
        except _Trouble as exc:
            view, wait_s = replace(before, problem=str(exc), is_over=exc.is_over, tried_at=now), exc.retry_after_s
            if view.problem != before.problem:
                self._on_trouble(account, view.problem)
        else:
            view, wait_s = PinterestView(at=now, tried_at=now, our_names=self._event_names, **found), 0
        await PINTEREST_VIEWS.of(account).write(self._shared, view)
        return wait_s

    async def _asked(self, question: _Question, now: float) -> Any:
        answer = await self._answer(question, await self._usable(now))
        if isinstance(answer, Answer) and answer.status == 401:  # noqa: PLR2004 - the token may just have ended
            answer = await self._answer(question, await self._usable(now, refused=True))
        if isinstance(answer, Failure):
            raise _Trouble(answer.reason, is_over=answer.token)
        if answer.status == _TOO_MANY:
            raise _Trouble("Pinterest was asked too often (429)", retry_after_s=_seconds(answer.retry_after))
        if answer.status in _REFUSED:
            why = f"Pinterest refuses the token ({answer.status}): it needs ads:read and access to the ad account"
            raise _Trouble(why, is_over=True)
        if answer.status != _OK:
            raise _Trouble(f"Pinterest answers {answer.status}{_words(answer.body)}")
        try:
            return question.read(answer.body)
        except (msgspec.ValidationError, ValueError) as exc:
            raise _Trouble(f"Pinterest's answer to {question.member} is not as its schema says") from exc

    async def _answer(self, question: _Question, token: SecretStr) -> Answer | Failure:
        return await self._client.get(question.path, token, question.params)

    async def _usable(self, now: float, *, refused: bool = False) -> SecretStr:
        token = await self._token.current(now, refused=refused)
        if isinstance(token, NoToken):
            raise _Trouble(token.why, is_over=token.is_over)
        return token


def _questions(account: str, now: float) -> list[_Question]:
    """Return the calls about one ad account: what is asked lies within the last days, in UTC."""
    begin = f"/ad_accounts/{account}"
    windows = {
        "start_date": _date(now - (REPORTED_DAYS - 1) * DAY_S),
        "end_date": _date(now),
        "granularity": "DAY",
        "columns": f"{CHECKOUTS},{VALUE},{BY_CLICK},{BY_VIEW}",
        "click_window_days": str(CLICK_DAYS),
        "view_window_days": str(VIEW_DAYS),
        "conversion_report_time": "TIME_OF_CONVERSION",
    }
    return [
        _Question("currency", begin, {}, read_account_currency),
        _Question("quality", f"{begin}/conversion_eqs", {"lookback_period": f"{REPORTED_DAYS}d"}, read_quality),
        _Question("attributed", f"{begin}/analytics", windows, read_attributed),
        _Question("their_names", f"{begin}/advertiser_defined_events", {}, read_event_names),
    ]


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0


def _words(body: Any) -> str:
    """Return Pinterest's own words, cut; they are about the request, which holds no personal data."""
    message = body.get("message") if isinstance(body, Mapping) else None
    return f": {message[:200]}" if isinstance(message, str) else ""
