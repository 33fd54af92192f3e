"""Read Pinterest's reports every hour, in a single process, and store them for all. Sending is never blocked.

A response that does not match Pinterest's schema is reported as such.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from pydantic import SecretStr

from app.core.deliveries import State
from app.core.pages import Attributed, Coverage, PinterestView, Quality, SentDay, Unread
from app.core.shared_values import PINTEREST_VIEWS, REPORTS_TURN
from app.core.values.times import DAY_S, HOUR_S
from app.destination import redact
from app.destination.client import Answer, Failure
from app.insights.reports.ads_client import AdsClient, AdsToken, NoToken
from app.outbox import Outbox
from app.sender.shutdown import MinuteTask

#: The requested columns of the analytics. https://developers.pinterest.com/docs/api/v5/ad_account-analytics
CHECKOUTS: Final = "TOTAL_CHECKOUT"
VALUE: Final = "TOTAL_CHECKOUT_VALUE_IN_MICRO_DOLLAR"
BY_CLICK: Final = "TOTAL_CLICK_CHECKOUT"
BY_VIEW: Final = "TOTAL_VIEW_CHECKOUT"
#: The attribution windows: days after a click or a view; counted on the day of the conversion.
CLICK_DAYS: Final = 30
VIEW_DAYS: Final = 1


class _Issue(Struct):
    name: str
    reason: str


class _Details(Struct):
    coverage: float
    overlap: float | None = None
    issues: list[_Issue] = []


class _Score(Struct):
    overall_status: str
    source_platform: str
    ingestion_source: str
    quality_components: dict[str, dict[str, _Details]]


class _Named(Struct):
    name: str = ""
    mapped_conversion_type: str | None = None


class _Names(Struct):
    items: list[_Named] = []


class _Account(Struct):
    currency: str = ""
    #: Since 5.28.
    time_zone: str | None = None


class _Optimal(Struct):
    conversion_event: str = ""
    #: Since 5.28: the name of an advertiser-defined event.
    reporting_conversion_event: str | None = None


def read_quality(body: Any) -> tuple[Quality, ...]:
    """Read `conversion_eqs`. Raises msgspec.ValidationError."""
    return tuple(
        Quality(
            platform=score.source_platform,
            way=score.ingestion_source,
            status=score.overall_status,
            coverage=tuple(
                Coverage(
                    component=component,
                    event=event,
                    percent=details.coverage,
                    overlap=details.overlap,
                    issues=tuple(f"{issue.name}: {issue.reason}" for issue in details.issues),
                )
                for component, events in score.quality_components.items()
                for event, details in events.items()
            ),
        )
        for score in msgspec.convert(body, list[_Score])
    )


def read_attributed(body: Any) -> tuple[Attributed, ...]:
    """Read `analytics` by day. A column without a value may be missing. Raises msgspec.ValidationError."""
    rows = msgspec.convert(body, list[dict[str, Any]])
    return tuple(
        Attributed(
            date=str(row.get("DATE", "")),
            checkouts=_number(row, CHECKOUTS),
            by_click=_number(row, BY_CLICK),
            by_view=_number(row, BY_VIEW),
            value=str(Decimal(_number(row, VALUE)) / 1_000_000),
        )
        for row in rows
    )


def read_event_names(body: Any) -> dict[str, str]:
    """Read `advertiser_defined_events`: by name the standard event that each represents, or ""."""
    return {each.name: each.mapped_conversion_type or "" for each in msgspec.convert(body, _Names).items if each.name}


def read_account(body: Any) -> dict[str, str]:
    """Read the ad account: the currency of its figures and its time zone. Raises msgspec.ValidationError."""
    account = msgspec.convert(body, _Account)
    return {"currency": account.currency, "time_zone": account.time_zone or ""}


def read_optimal(body: Any) -> tuple[str, ...]:
    """Read `ocpm_eligible`: the events that ads can be optimized for, of all tags. Raises msgspec.ValidationError.

    Unknown names are accepted: 5.28 has 13 more than 5.23.
    """
    found = [each for events in msgspec.convert(body, dict[str, list[_Optimal]]).values() for each in events]
    return tuple(sorted({each.reporting_conversion_event or each.conversion_event for each in found} - {""}))


def _number(row: dict[str, Any], column: str) -> int:
    return msgspec.convert(row.get(column) or 0, int, strict=False)


REPORTED_DAYS: Final = 14
_OK, _UNAUTHORIZED, _SERVER_ERROR = 200, 401, 500
_MAX_WORDS: Final = 200
#: Remedies by status; the first three need an operator.
_REMEDIES: Final = {
    401: "the token is not taken: make a new one, with the scope ads:read",
    403: "a permission is missing: the token needs the scope ads:read, and its user access to the ad account",
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
    """A call: the member of the view that it fills, its report, and its reader; a dict fills several members."""

    member: str
    report: str
    path: str
    params: Mapping[str, str]
    read: Callable[[Any], Any]


class _Access:
    """The token during a check: it is renewed at most once, even if several responses refuse it."""

    def __init__(self, source: AdsToken, now: float) -> None:
        self._source = source
        self.now = now
        self._token: SecretStr | NoToken | None = None
        self._other: SecretStr | NoToken | None = None

    async def token(self) -> SecretStr:
        """Return the token. Raises _Trouble if there is none."""
        if self._token is None:
            self._token = await self._source.current(self.now)
        return _usable(self._token)

    async def other_token(self, words: str) -> SecretStr:
        """Return the replacement of a refused token; `words` describe the refusal. Raises _Trouble if there is none."""
        if self._other is None:
            self._other = await self._source.current(self.now, refused=True)
            if isinstance(self._other, SecretStr):
                self._token = self._other
        return _usable(self._other, words)


def _usable(token: SecretStr | NoToken, words: str = "") -> SecretStr:
    if isinstance(token, NoToken):
        raise _Trouble(f"{token.why}{words}", needs_person=token.is_over)
    return token


class HourlyReading(MinuteTask):
    """Reads Pinterest's own figures."""

    def __init__(
        self,
        outbox: Outbox,
        client: AdsClient,
        token: AdsToken,
        *,
        ad_account_ids: Sequence[str],
        event_names: Sequence[str],
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
        on_trouble: Callable[[str, str], None],
    ) -> None:
        """Use the outbox, the client and the token.

        `on_trouble` is called once with an ad account and the reason of an unread report.
        """
        super().__init__(on_error, client.close)
        self._outbox = outbox
        self._client = client
        self._token = token
        self._ad_account_ids = ad_account_ids
        self._event_names = tuple(event_names)
        self._clock = clock
        self._on_trouble = on_trouble

    async def look(self) -> bool:
        """Read all ad accounts if an hour is over and no other process does; return whether they were read."""
        now = self._clock()
        turn = await REPORTS_TURN.read_revised(self._outbox)
        # A time further ahead was written before a clock was set back.
        if turn.value and 0 < turn.value - now <= DAY_S:
            return False
        taken = await REPORTS_TURN.write(self._outbox, now + HOUR_S, revision=turn.revision)
        if taken is None:
            return False
        access = _Access(self._token, now)
        wait_s = max([await self._read(account, access, now) for account in self._ad_account_ids])
        if wait_s > HOUR_S:
            await REPORTS_TURN.write(self._outbox, now + min(wait_s, DAY_S), revision=taken)
        return True

    async def _read(self, account: str, access: _Access, now: float) -> float:
        """Read each report of an ad account; return the pause that Pinterest requests.

        An unreadable report keeps its previous data, and does not stop the others.
        """
        before = await PINTEREST_VIEWS.read(self._outbox, account) or PinterestView()
        found: dict[str, Any] = {}
        troubles: dict[str, _Trouble] = {}
        questions = [_of_account(account)]
        await self._ask(questions[0], access, found, troubles)
        zone = _zone(found.get("time_zone", before.time_zone))
        for question in _questions(account, now):
            questions.append(question)
            await self._ask(question, access, found, troubles, zone=zone)
        if found.get("day_zone"):
            currency = found.get("currency", before.currency)
            found["sent"] = await sent_by_day(self._outbox, account, currency, _days(now, zone), zone)
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
        read_at = {**before.read_at, **{each.member: now for each in questions if each.member in found}}
        view = replace(before, read_at=read_at, unread=unread, tried_at=now, our_names=self._event_names, **found)
        for why in dict.fromkeys(each.why for each in unread.values()):
            if why not in {each.why for each in before.unread.values()}:
                self._on_trouble(account, why)
        await PINTEREST_VIEWS.of(account).write(self._outbox, view)
        return max((each.retry_after_s for each in troubles.values()), default=0)

    async def _ask(
        self,
        question: _Question,
        access: _Access,
        found: dict[str, Any],
        troubles: dict[str, _Trouble],
        *,
        zone: tzinfo = UTC,
    ) -> None:
        """Add the response to `found`, or the reason why there is none.

        Attributed checkouts are requested by the days of the ad account. These figures are not available for all ad
        accounts (a closed beta of Pinterest's); the fallback is days of UTC.
        """
        if question.member == "attributed" and zone is not UTC:
            in_zone = _in_zone(question, access.now, zone)
            try:
                found |= {"attributed": await self._asked(in_zone, access), "day_zone": str(zone)}
            except _Trouble:
                pass
            else:
                return
        try:
            value = await self._asked(question, access)
        except _Trouble as exc:
            troubles[question.member] = exc
            return
        found |= value if question.member == "currency" else {question.member: value}
        if question.member == "attributed":
            found["day_zone"] = ""

    async def _asked(self, question: _Question, access: _Access) -> Any:
        answer = await self._client.get(question.path, await access.token(), question.params)
        if isinstance(answer, Answer) and answer.status == _UNAUTHORIZED:  # the token may just have expired
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
    """Return the report of a response without data: Pinterest's message, and the remedy."""
    remedy = _REMEDIES.get(answer.status) or (_BUSY if answer.status >= _SERVER_ERROR else "")
    return _Trouble(
        f"Pinterest answers {answer.status}{_words(answer)}{remedy and f': {remedy}'}",
        needs_person=answer.status in _FOR_PEOPLE,
        retry_after_s=answer.retry_after_s(now) or 0,
    )


def _words(answer: Answer) -> str:
    told = answer.body.get("message") if isinstance(answer.body, Mapping) else None
    return f" ({redact(told[:_MAX_WORDS]).rstrip('.')})" if isinstance(told, str) else ""


def _of_account(account: str) -> _Question:
    return _Question("currency", "the ad account", f"/ad_accounts/{account}", {}, read_account)


def _questions(account: str, now: float) -> list[_Question]:
    """Return the other calls about an ad account, for the last days in UTC."""
    begin = f"/ad_accounts/{account}"
    days = _days(now, UTC)
    windows = {
        "start_date": days[0],
        "end_date": days[-1],
        "granularity": "DAY",
        "columns": f"{CHECKOUTS},{VALUE},{BY_CLICK},{BY_VIEW}",
        "click_window_days": str(CLICK_DAYS),
        "view_window_days": str(VIEW_DAYS),
        "conversion_report_time": "TIME_OF_CONVERSION",
    }
    quality, optimal = {"lookback_period": f"{REPORTED_DAYS}d"}, f"{begin}/conversion_tags/ocpm_eligible"
    names = f"{begin}/advertiser_defined_events"
    return [
        _Question("quality", "event quality", f"{begin}/conversion_eqs", quality, read_quality),
        _Question("attributed", "attributed checkouts", f"{begin}/analytics", windows, read_attributed),
        _Question("their_names", "advertiser-defined events", names, {}, read_event_names),
        _Question("optimal", "events to optimize for", optimal, {}, read_optimal),
    ]


def _in_zone(question: _Question, now: float, zone: tzinfo) -> _Question:
    days = _days(now, zone)
    dates = {"start_date": days[0], "end_date": days[-1], "reporting_timezone": "AD_ACCOUNT_TIME_ZONE"}
    return question._replace(params={**question.params, **dates})


def _zone(name: str) -> tzinfo:
    """Return the time zone of a name; UTC if there is none, or this machine does not know it."""
    try:
        return ZoneInfo(name) if name not in ("", "UTC", "Etc/UTC") else UTC
    except (ValueError, OSError, KeyError):  # KeyError: the zone is unknown
        return UTC


def _days(now: float, zone: tzinfo) -> list[str]:
    """Return the dates of the last days in a time zone, the earliest first."""
    today = datetime.fromtimestamp(now, zone).date()
    return [str(today - timedelta(back)) for back in reversed(range(REPORTED_DAYS))]


async def sent_by_day(
    outbox: Outbox, account: str, currency: str, dates: Sequence[str], zone: tzinfo
) -> tuple[SentDay, ...]:
    """Return the delivered checkouts of an ad account by the day of the order in a time zone.

    Orders in another currency than that of the ad account are omitted. Raises OutboxUnavailable.
    """
    starts = [datetime.fromisoformat(date).replace(tzinfo=zone).timestamp() for date in dates]
    orders: Counter[str] = Counter()
    worth: dict[str, Decimal] = dict.fromkeys(dates, Decimal(0))
    async for rows in outbox.orders_since(starts[0]):
        for row in rows:
            is_theirs = row.ad_account_id == account and (not currency or row.currency in (None, "", currency))
            if row.outcome == State.DELIVERED and is_theirs and row.at >= starts[0]:
                date = dates[bisect_right(starts, row.at) - 1]
                orders[date] += 1
                worth[date] += Decimal(row.amount or 0)
    return tuple(SentDay(date=date, orders=orders[date], worth=str(worth[date])) for date in dates)
