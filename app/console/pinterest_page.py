"""What Pinterest itself says: the quality of events, attributed checkouts beside those sent, and its tag."""

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
#: The component by which the tag and the API tell of the same event.
_BOTH: Final = "external_event_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedDay:
    """One day: what was sent, and what Pinterest attributes to its ads."""

    theirs: Attributed
    #: When a day of UTC began, Unix seconds; None where the days are of another time zone.
    since: int | None
    sent: int
    #: In the ad account's currency, as orders that name no other; None where that is not known.
    sent_worth: Decimal | None

    @property
    def attributed_worth(self) -> Decimal:
        return Decimal(self.theirs.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """What is shown of one ad account."""

    account: AccountView
    view: PinterestView
    days: tuple[AttributedDay, ...]
    #: By component and event name, how many of ours carry it, in hundredths.
    ours: Mapping[_Key, float]
    #: Pinterest does not know them; and we do not.
    unknown_there: tuple[str, ...]
    unknown_here: tuple[str, ...]

    def our_share(self, coverage: Coverage) -> float | None:
        """Return how many of ours carry a component; None where nothing of that name was sent."""
        return self.ours.get((coverage.component, coverage.event.lower()))

    @property
    def troubles(self) -> dict[str, bool]:
        """Why reports could not be read, each reason once, and whether it needs a person."""
        return {each.why: each.needs_person for each in self.view.unread.values()}

    def as_of(self, report: str) -> float | None:
        """Return when a report was read that stands as it was, because it could not be read anew; None: just now."""
        return self.view.read_at.get(report) if report in self.view.unread else None

    @property
    def overlaps(self) -> list[Coverage]:
        """How many events the tag and the API both tell of, by event, where Pinterest says it."""
        found = (each for quality in self.view.quality for each in quality.coverage)
        return [each for each in found if each.component == _BOTH and each.overlap is not None]


class PinterestPages(PageGroup):
    """The page that shows what Pinterest itself says."""

    async def show(self, request: Request) -> Response:
        """Show what Pinterest says of each ad account, or of one."""
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
    """Return by component and event name how many of an ad account's deliveries carry it, in hundredths."""
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
    """Put what was sent beside what is attributed, by day, the newest first.

    Without the ad account's currency all orders are counted, and no worth is told. The days are those of Pinterest's
    figures: what was sent on days of another time zone than UTC was counted when those were read.
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


#: By date: when the day of UTC began, the orders that were sent, and what they are worth.
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
    """Return when a date begins (UTC), Unix seconds; None where the text is no date."""
    try:
        return calendar.timegm(time.strptime(date, "%Y-%m-%d"))
    except ValueError:
        return None


_DAYS: Final = 7


class TagCheckPages(PageGroup):
    """The page that compares the tag's events with ours."""

    async def report(self) -> TagReport:
        """Return what the tag and Pinrelay sent in the last days."""
        services = self._services
        now, catalog = services.clock(), services.running.catalog
        return await read_report(services.outbox, catalog, services.traits_of, now=now, days=_DAYS)

    async def show(self, request: Request) -> Response:
        """Show by event name what the tag and Pinrelay send."""
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
