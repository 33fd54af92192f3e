"""Pinterest's own reports: the quality of events, attributed checkouts next to those sent, and its tag."""

import calendar
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from app.catalog import Catalog
from app.console.filter import filter_of
from app.console.pages import PageGroup
from app.core.deliveries import State
from app.core.events import CounterRow, Outcome
from app.core.pages import AccountView, Attributed, Coverage, PinterestView, Revenue
from app.core.shared_values import PINTEREST_VIEWS
from app.core.values.amounts import sum_of_one_currency
from app.core.values.times import DAY_S
from app.insights.reports.hourly_reading import CLICK_DAYS, REPORTED_DAYS, VIEW_DAYS
from app.insights.tag_check import MESSAGE_IDS, TagReport, read_report

#: Quality component, and Pinterest's name of the event.
_Key = tuple[str, str]
#: The component by which the tag and the API report the same event.
_BOTH: Final = "external_event_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedDay:
    """A day: sent orders, and those that Pinterest attributes to its ads."""

    theirs: Attributed
    #: The start of a day of UTC, Unix seconds; `None` for days of another time zone.
    since: int | None
    sent: int
    #: In the ad account's currency, including orders without a currency; `None` if unknown.
    sent_worth: Decimal | None

    @property
    def attributed_worth(self) -> Decimal:
        return Decimal(self.theirs.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """The displayed data of an ad account."""

    account: AccountView
    view: PinterestView
    days: tuple[AttributedDay, ...]
    #: By component and event name: the percentage of our events that have it.
    ours: Mapping[_Key, float]
    #: Event names unknown to Pinterest; and those unknown to Pinrelay.
    unknown_there: tuple[str, ...]
    unknown_here: tuple[str, ...]

    def our_share(self, coverage: Coverage) -> float | None:
        """Return the percentage of our events with a component; `None` if no event of that name was sent."""
        return self.ours.get((coverage.component, coverage.event.lower()))

    @property
    def troubles(self) -> dict[str, bool]:
        """Return why reports could not be read, each reason once, and whether an operator is needed."""
        return {each.why: each.needs_person for each in self.view.unread.values()}

    def as_of(self, report: str) -> float | None:
        """Return the last read of a report that could not be read again; `None` if it is current."""
        return self.view.read_at.get(report) if report in self.view.unread else None

    @property
    def overlaps(self) -> list[Coverage]:
        """Return the share of events that both the tag and the API report, by event, if Pinterest reports it."""
        found = (each for quality in self.view.quality for each in quality.coverage)
        return [each for each in found if each.component == _BOTH and each.overlap is not None]


class PinterestPages(PageGroup):
    """The page of Pinterest's own reports."""

    async def show(self, request: Request) -> Response:
        """Show Pinterest's reports of all ad accounts, or of a selected one."""
        outbox, now, chosen = self._services.outbox, self._services.clock(), filter_of(request)
        views = await PINTEREST_VIEWS.read_all(outbox)
        today, accounts = int(now // DAY_S), {each.ad_account_id: each for each in self._services.accounts}
        rows = await outbox.revenue(first_day=today - REPORTED_DAYS + 1, last_day=today) if views else []
        counters = await outbox.counters(since=now - REPORTED_DAYS * DAY_S, step_s=0) if views else []
        reports = [
            AccountReport(
                account=accounts[account],
                view=view,
                days=attributed_days(view, [row for row in rows if row.ad_account_id == account]),
                ours=own_shares(counters, self._services.running.catalog, account),
                unknown_there=tuple(sorted({*view.our_names} - view.their_names.keys())),
                unknown_here=tuple(sorted(view.their_names.keys() - {*view.our_names})),
            )
            for account, view in views.items()
            if account in accounts and chosen.account_id in ("", account)
        ]
        return self._pages.render(
            request,
            "pinterest.html",
            obeys=("account",),
            nav="pinterest",
            reports=reports,
            days=REPORTED_DAYS,
            click_days=CLICK_DAYS,
            view_days=VIEW_DAYS,
            day_s=DAY_S,
        )


def own_shares(counters: Iterable[tuple[float, CounterRow]], catalog: Catalog, account: str) -> dict[_Key, float]:
    """Return the percentage of an ad account's deliveries with each component, by component and event name."""
    names = {preset.name: preset.mapping.literal("event_name") for preset in catalog.presets}
    enqueued: Counter[str] = Counter()
    carrying: Counter[_Key] = Counter()
    for _, counter in counters:
        name = names.get(counter.preset)
        if counter.ad_account_id != account or not isinstance(name, str):
            continue
        if counter.name == Outcome.ENQUEUED:
            enqueued[name] += counter.count
        elif counter.name == "quality":
            carrying[counter.label, name] += counter.count
    return {key: round(100 * count / enqueued[key[1]], 1) for key, count in carrying.items() if enqueued[key[1]]}


def attributed_days(view: PinterestView, rows: Sequence[Revenue]) -> tuple[AttributedDay, ...]:
    """Return sent next to attributed orders, by day, the newest first.

    Without the ad account's currency all orders are counted, without a value. The days are those of Pinterest's
    figures: orders by days of another time zone than UTC were counted when the reports were read.
    """
    known = view.currency
    in_zone = {each.date: (None, each.orders, Decimal(each.worth) if known else None) for each in view.sent}
    told = in_zone if view.day_zone else _of_utc(view, rows)
    return tuple(
        AttributedDay(theirs=each, since=since, sent=sent, sent_worth=worth)
        for each in sorted(view.attributed, key=lambda each: each.date, reverse=True)
        if each.date in told
        for since, sent, worth in [told[each.date]]
    )


#: By date: the start of the day of UTC, the number of sent orders, and their value.
_SentByDate: TypeAlias = dict[str, tuple[int | None, int, Decimal | None]]


def _of_utc(view: PinterestView, rows: Sequence[Revenue]) -> _SentByDate:
    known = view.currency
    sent = [row for row in rows if row.became == State.DELIVERED and (not known or row.currency in ("", known))]
    found: _SentByDate = {}
    days = {each.date: since for each in view.attributed if (since := _day_start(each.date)) is not None}
    for date, since in days.items():
        of_day = [row for row in sent if row.day == since // DAY_S]
        worth = sum_of_one_currency((row.currency or known, row.amount) for row in of_day) if known else None
        found[date] = since, sum(row.orders for row in of_day), worth
    return found


def _day_start(date: str) -> int | None:
    """Return the start of a date (UTC), Unix seconds; `None` if the text is not a date."""
    try:
        return calendar.timegm(time.strptime(date, "%Y-%m-%d"))
    except ValueError:
        return None


_DAYS: Final = 7


class TagCheckPages(PageGroup):
    """The page that compares the tag's events with ours."""

    async def report(self) -> TagReport:
        """Return the comparison of the tag with Pinrelay for the last days."""
        services = self._services
        now, catalog = services.clock(), services.running.catalog
        return await read_report(services.outbox, catalog, services.traits_of, now=now, days=_DAYS)

    async def show(self, request: Request) -> Response:
        """Show the events of the tag and of Pinrelay by event name."""
        report = await self.report()
        return self._pages.render(
            request,
            "tag_check.html",
            obeys=(),
            nav="tag",
            report=report,
            days=_DAYS,
            message_ids=MESSAGE_IDS if report.is_fed_message_ids else "",
        )
