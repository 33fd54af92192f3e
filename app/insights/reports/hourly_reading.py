"""Reads every hour what Pinterest says, by one process, and keeps it for all. It is never in the way of sending."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec
from pydantic import SecretStr

from app.core.pages import PinterestView, Unread
from app.core.shared_values import PINTEREST_VIEWS, REPORTS_TURN, SharedValues, Turn
from app.core.values.times import DAY_S, HOUR_S
from app.destination import redact
from app.destination.client import Answer, Failure
from app.errors import OutboxUnavailable
from app.insights.reports.ads_client import AdsClient, AdsToken, NoToken
from app.insights.reports.pinterest_answers import (
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
from app.sender.shutdown import Shutdown

#: How often it is looked whether the hour is over.
LOOK_S: Final = 60.0
#: So many days are asked for.
REPORTED_DAYS: Final = 14
_OK, _UNAUTHORIZED, _SERVER_ERROR = 200, 401, 500
_MAX_WORDS: Final = 200
#: What helps against an answer; against the first three nothing helps but a person.
_REMEDIES: Final = {
    401: "the token is not taken: make a new one, with the scope ads:read",
    403: "a permission is missing: the token needs the scope ads:read, and whoever granted it access to the ad account",
    404: "it is not there: look whether the ad account's id is right, and whether Pinterest has this report of it",
    429: "it was asked too often, and is asked again in an hour",
}
_BUSY: Final = "trouble at Pinterest, which is asked again in an hour"
_FOR_PEOPLE: Final = frozenset({401, 403, 404})


class _Trouble(Exception):
    """Why a report cannot be read."""

    def __init__(self, why: str, *, needs_person: bool = False, retry_after_s: float = 0) -> None:
        super().__init__(why)
        self.needs_person = needs_person
        self.retry_after_s = retry_after_s


class _Question(NamedTuple):
    """One call: which member of the view it fills, as which report, and how it is read."""

    member: str
    report: str
    path: str
    params: Mapping[str, str]
    read: Callable[[Any], Any]


class _Access:
    """The token of one look: it is renewed once at most, however many answers refuse it."""

    def __init__(self, source: AdsToken, now: float) -> None:
        self._source = source
        self.now = now
        self._token: SecretStr | NoToken | None = None
        self._other: SecretStr | NoToken | None = None

    async def token(self) -> SecretStr:
        """Return the token. Raises _Trouble where there is none."""
        if self._token is None:
            self._token = await self._source.current(self.now)
        return _usable(self._token)

    async def other_token(self, words: str) -> SecretStr:
        """Return what is used instead of a token that was refused, in these words. Raises _Trouble where none is."""
        if self._other is None:
            self._other = await self._source.current(self.now, refused=True)
            if isinstance(self._other, SecretStr):
                self._token = self._other
        return _usable(self._other, words)


def _usable(token: SecretStr | NoToken, words: str = "") -> SecretStr:
    if isinstance(token, NoToken):
        raise _Trouble(f"{token.why}{words}", needs_person=token.is_over)
    return token


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
        """Take what to read. `on_trouble` is told an ad account, and why a report is not read, once while it lasts."""
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
        access = _Access(self._token, now)
        wait_s = max([await self._read(account, access, now) for account in self._ad_account_ids])
        if wait_s > HOUR_S:
            await REPORTS_TURN.write(self._shared, Turn(next_at=now + min(wait_s, DAY_S)), revision=taken)
        return True

    async def _read(self, account: str, access: _Access, now: float) -> float:
        """Read each report of one ad account; return for how long Pinterest wants to be left alone.

        What cannot be read keeps what was read of it before, and is no reason to leave out the others.
        """
        before = await PINTEREST_VIEWS.read(self._shared, account) or PinterestView()
        found: dict[str, Any] = {}
        troubles: dict[str, _Trouble] = {}
        questions = _questions(account, now)
        for each in questions:
            try:
                found[each.member] = await self._asked(each, access)
            except _Trouble as exc:
                troubles[each.member] = exc
        is_one = not found and len({str(trouble) for trouble in troubles.values()}) == 1
        unread = {
            each.member: Unread(
                why=str(trouble) if is_one else f"{each.report}: {trouble}",
                needs_person=trouble.needs_person,
                since=known.since if (known := before.unread.get(each.member)) else now,
            )
            for each in questions
            if (trouble := troubles.get(each.member))
        }
        read_at = {**before.read_at, **dict.fromkeys(found, now)}
        view = replace(before, read_at=read_at, unread=unread, tried_at=now, our_names=self._event_names, **found)
        for why in dict.fromkeys(each.why for each in unread.values()):
            if why not in {each.why for each in before.unread.values()}:
                self._on_trouble(account, why)
        await PINTEREST_VIEWS.of(account).write(self._shared, view)
        return max((each.retry_after_s for each in troubles.values()), default=0)

    async def _asked(self, question: _Question, access: _Access) -> Any:
        answer = await self._client.get(question.path, await access.token(), question.params)
        if isinstance(answer, Answer) and answer.status == _UNAUTHORIZED:  # the token may just have ended
            answer = await self._client.get(question.path, await access.other_token(_words(answer)), question.params)
        if isinstance(answer, Failure):
            raise _Trouble(answer.reason, needs_person=answer.token)
        if answer.status != _OK:
            raise _refused(answer, access.now)
        try:
            return question.read(answer.body)
        except (msgspec.ValidationError, ValueError) as exc:
            raise _Trouble("Pinterest's answer is not as its schema says") from exc


def _refused(answer: Answer, now: float) -> _Trouble:
    """Return what is told of an answer that holds no report: Pinterest's own words, and what helps."""
    remedy = _REMEDIES.get(answer.status) or (_BUSY if answer.status >= _SERVER_ERROR else "")
    return _Trouble(
        f"Pinterest answers {answer.status}{_words(answer)}{remedy and f': {remedy}'}",
        needs_person=answer.status in _FOR_PEOPLE,
        retry_after_s=answer.retry_after_s(now) or 0,
    )


def _words(answer: Answer) -> str:
    told = answer.body.get("message") if isinstance(answer.body, Mapping) else None
    return f" ({redact(told[:_MAX_WORDS]).rstrip('.')})" if isinstance(told, str) else ""


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
        _Question("currency", "the ad account", begin, {}, read_account_currency),
        _Question(
            "quality",
            "event quality",
            f"{begin}/conversion_eqs",
            {"lookback_period": f"{REPORTED_DAYS}d"},
            read_quality,
        ),
        _Question("attributed", "attributed checkouts", f"{begin}/analytics", windows, read_attributed),
        _Question(
            "their_names", "advertiser-defined events", f"{begin}/advertiser_defined_events", {}, read_event_names
        ),
    ]


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
