"""The first page: health, sent events, and reasons for not sending."""

import asyncio
import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.console import verdict
from app.console.charts import flow, marks, stack
from app.console.counts import (
    PeriodCounts,
    PresetCounts,
    Summary,
    TimedCounters,
    comparison_shifts,
    comparisons,
    counts_between,
    followed,
    narrowed,
    summarise,
)
from app.console.filter import PARTS, PERIODS, PageFilter, Period, WholeDays, days_of, filter_of
from app.console.labels import changed, money, percent, thousands, with_fresh_timestamp
from app.console.pages import PageGroup, Pages
from app.console.quality_page import busy_presets, keys_of_presets, overall_score, ranked_advice
from app.console.services import ConsoleServices
from app.core.coordination import Switches
from app.core.deliveries import State
from app.core.events import CounterRow, Event, Outcome
from app.core.pages import Backlog, Query, Revenue, Undelivered
from app.core.shared_values import Incident
from app.core.values.texts import count_of
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.destination import COMPONENTS
from app.errors import OutboxUnavailable
from app.insights.alerts.by_name import CHANGED
from app.insights.alerts.overall import Alert
from app.insights.alerts.watcher import waiting_money
from app.insights.incidents import read_incidents
from app.insights.orders.revenue import CurrencyTotals, OrderTotals, by_currency, first_day_read
from app.sender.status import AccountStatus, all_delivery_problems, read_accounts, total_backlog
from app.source.browser import page_snippet

#: "Pinterest's last answers" are those of the last hour.
ANSWERS_S = HOUR_S
#: The default period.
USUAL = next(period for period in PERIODS if period.name == "day")
#: The days of the first row if no period is chosen.
_TODAY: Final = next(period for period in PERIODS if period.name == "today")
#: Maximum number of displayed presets, those with the most events; a link shows the others. A preset also has a row for
#: each ad account.
MOST_ROWS: Final = 9
#: The number of newest audit entries that are searched for marks on the chart.
_MARKED = 200
#: The test event if no preset has an example.
FIRST_EVENT: Event = {"type": "page", "messageId": "first-event"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswers:
    """The number of recent responses of Pinterest with a status."""

    #: The HTTP status, or a word for a missing response.
    status: str
    count: int
    #: The minute of the last response.
    last_at: float


#: The minimum interval of checks for alerts, which run beside the page.
_LOOK_S: Final = 60.0
#: Fewer events than this in a month: Pinrelay is being set up.
_FIRST_EVENTS: Final = 5
_MONTH_S: Final = 30 * DAY_S
_ARRIVED: Final = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.MATCHED, Outcome.ENQUEUED)
#: Incidents of so many days are listed, and so many of them at once.
_INCIDENT_DAYS: Final = 30
_MOST_INCIDENTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A number of the first row."""

    label: str
    value: str
    #: The share or the other currencies; "" if there are none.
    detail: str = ""
    #: The change against the same number of days before; "" if it cannot be compared.
    change: str = ""
    #: Below /console/.
    page: str


class OverviewPages(PageGroup):
    """The overview, and its part that refreshes itself."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._counts = PeriodCounts(services.outbox)
        self._alerts: list[Alert] | None = None
        self._looked_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def show(self, request: Request) -> Response:
        """Show the page; `?part=live` only the changing part, for the script."""
        template = "overview_live.html" if request.query_params.get("part") == "live" else "overview.html"
        chosen, shows_all = filter_of(request), request.query_params.get("presets") == "all"
        facts = await self._facts(chosen.period or USUAL, chosen)
        first = await self._first_run(request) if await self._is_new(facts, chosen) else None
        return self._pages.render(
            request,
            template,
            obeys=PARTS,
            usual=USUAL.label,
            nav="overview",
            account=chosen.account,
            source=chosen.source,
            first=first,
            most_shown=verdict.MOST_SHOWN,
            shows_all=shows_all,
            listed=busiest(facts["summary"], None if shows_all else self._most_presets(chosen)),
            **facts,
        )

    def _most_presets(self, chosen: PageFilter) -> int:
        named = [each for each in self._services.accounts if each.name and not chosen.account]
        return max(2, MOST_ROWS // (1 + len(named)))

    async def _facts(self, period: Period, chosen: PageFilter) -> dict[str, Any]:
        """Read the outbox once and compute all figures that the page filter selects."""
        services, now = self._services, self._services.clock()
        shifts = comparison_shifts(period, now=now, kept_s=services.settings.ledger_s)
        counters = await self._counts.read(period, shifts.values(), now=now)
        calls = await self._counts.calls(since=int(now - ANSWERS_S) // MINUTE_S * MINUTE_S, now=now)
        switches = await Switches.read(services.outbox)
        asked = (chosen.account,) if chosen.account else services.accounts
        accounts = await read_accounts(services.outbox, asked, services.settings, switches=switches, now=now)
        counted = narrowed(counters, account=chosen.account_id, source=chosen.source)
        names = [preset.name for preset in services.running.catalog.presets]
        summary = summarise(counted, period, names, now=now, account=chosen.account_id)
        left = await self._undelivered(period, chosen, now)
        over_time = _over_time(counted, summary, period, shifts, chosen, left, now)
        return {
            "summary": summary,
            "period": period,
            **over_time,
            "marks": marks((await services.outbox.audit(limit=_MARKED)).entries, counted, summary.starts),
            "backlog": total_backlog(accounts),
            "answers": last_answers(calls, account=chosen.account_id),
            "problems": all_delivery_problems(accounts),
            "accounts": accounts,
            "switches": switches,
            **await self._headlines(chosen, now),
            "incidents": await self._incidents(chosen, now),
            "most_incidents": _MOST_INCIDENTS,
            **await self._needs(summary, period, accounts, over_time["span"], now),
            **_quality_of(summary, services),
        }

    async def _undelivered(self, period: Period, chosen: PageFilter, now: float) -> list[Undelivered]:
        since = period.starts(now)[0]
        found = await self._services.outbox.undelivered(
            since=since, until=since + period.length_s, step_s=period.step_s, by_source=bool(chosen.source)
        )
        return [
            each
            for each in found
            if chosen.account_id in ("", each.ad_account_id) and chosen.source in ("", each.source)
        ]

    async def _headlines(self, chosen: PageFilter, now: float) -> dict[str, Any]:
        """Return the numbers of orders of the chosen days, today by default, and when the last event came."""
        days, outbox = days_of(chosen.period or _TODAY, usual=1, now=now), self._services.outbox
        first = first_day_read(days.first, days.last)
        rows = [
            row
            for row in await outbox.revenue(first_day=first, last_day=days.last)
            if chosen.account_id in ("", row.ad_account_id) and chosen.source in ("", row.source)
        ]
        query = Query(ad_account_id=chosen.account_id or None, source=chosen.source or None)
        last = await self._services.finder.find(query, limit=1)
        times = [*(each.enqueued_at for each in last.deliveries.deliveries), *(at for at, _ in last.dropped.events)]
        return {
            "headlines": order_headlines(rows, days, today=int(now // DAY_S)),
            "headline_words": days.words,
            "last_event_at": max(times, default=None),
        }

    async def _incidents(self, chosen: PageFilter, now: float) -> list[Incident]:
        """Return the incidents of the last days without changes of names, narrowed by the filter of the page."""
        return [
            each
            for each in await read_incidents(self._services.outbox, since=now - _INCIDENT_DAYS * DAY_S, now=now)
            if each.kind != CHANGED
            and chosen.account_id in ("", each.ad_account_id)
            and chosen.source in ("", each.source)
        ]

    async def _unavailable(self) -> str:
        """Return why no event can be stored, with the remedy; "" if events can be stored."""
        try:
            await self._services.outbox.check([each.ad_account_id for each in self._services.accounts])
        except OutboxUnavailable as exc:
            return str(exc)
        return ""

    async def _needs(
        self,
        summary: Summary,
        period: Period,
        accounts: Sequence[AccountStatus],
        span: Mapping[str, int],
        now: float,
    ) -> dict[str, Any]:
        """Return the entries of *Needs attention*, and the line that is shown if there are none."""
        outbox = self._services.outbox
        has_dead = any(each.backlog.dead for each in accounts)
        facts = verdict.HealthFacts(
            now=now,
            live=self._services.live,
            accounts=accounts,
            waiting_worth=await waiting_money(outbox, accounts, now),
            losses=await outbox.dead_letters.losses() if has_dead else (),
            alerts=[*await self._alerts_now(now), *self._overlaps()],
            received=summary.total("received"),
            matched=summary.totals[Outcome.MATCHED],
            invalid=summary.total("invalid"),
            period_words=period.words,
            span=span,
            unavailable=await self._unavailable(),
        )
        return {"needs": verdict.needs_of(facts), "quiet": verdict.quiet_line(facts)}

    def _overlaps(self) -> Iterator[Alert]:
        """Yield an alert for each enabled preset whose events another enabled preset may count too."""
        for preset in self._services.running.catalog.enabled:
            if preset.overlapping:
                text = f"Events are withheld: {preset.overlap_reason}."
                yield Alert(key=f"presets: {preset.name}", text=text)

    async def _alerts_now(self, now: float) -> list[Alert]:
        """Return the alerts of the last check; a new check runs beside the page, and only the first is awaited."""
        if self._alerts is None:
            self._alerts = []
            self._looked_at = now
            await self._look()
        elif now - self._looked_at >= _LOOK_S and (self._looking is None or self._looking.done()):
            self._looked_at = now
            self._looking = asyncio.create_task(self._look())
        return self._alerts

    async def _look(self) -> None:
        with contextlib.suppress(OutboxUnavailable):  # the page itself reports the error
            self._alerts = await self._services.alerts()

    async def _is_new(self, facts: Mapping[str, Any], chosen: PageFilter) -> bool:
        """Return whether Pinrelay is being set up: hardly any events have ever arrived."""
        seen = sum(facts["summary"].totals[name] for name in _ARRIVED)
        if chosen.query or facts["needs"] or seen >= _FIRST_EVENTS or facts["backlog"] != Backlog():
            return False
        since = self._services.clock() - _MONTH_S
        rows = await self._services.outbox.counters(since=since, step_s=DAY_S, names=_ARRIVED)
        return sum(counter.count for _, counter in rows) < _FIRST_EVENTS

    async def _first_run(self, request: Request) -> dict[str, Any]:
        """Return the data of the three set-up steps: addresses of sources, a test event, and the newest event."""
        services = self._services
        found = await services.finder.find(Query(), limit=1)
        newest = next(iter(found.deliveries.deliveries), None)
        dropped = next((event for _, event in found.dropped.events), None)
        examples = [preset for preset in services.running.catalog.enabled if preset.example]
        shown = min(examples, key=lambda preset: len(orjson.dumps(preset.example)), default=None)
        host = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
        root = f"{host}/webhook"
        event = with_fresh_timestamp((shown and shown.example) or FIRST_EVENT, services.clock())
        addresses = {name: root if file is None else f"{root}/{name}" for name, file in services.sources().items()}
        return {
            "curl": self._curl(root, event),
            "snippet": page_snippet(host, "YOUR_WRITE_KEY"),
            "addresses": addresses,
            "test": {"event": orjson.dumps(event).decode(), "send": shown.name} if shown else None,
            "newest": newest,
            "dropped": dropped,
            "has_arrived": newest is not None or dropped is not None,
        }

    def _curl(self, address: str, event: Event) -> str:
        """Return the command that sends a first event here."""
        headers = "".join(f" -H {shlex.quote(line)}" for line in self._services.settings.sender_headers)
        body = shlex.quote(orjson.dumps(event).decode())
        return f"curl {shlex.quote(address)} -H 'Content-Type: application/json'{headers} \\\n  -d {body}"


def order_headlines(rows: Sequence[Revenue], days: WholeDays, *, today: int) -> list[Headline]:
    """Return the orders received and delivered and the delivered revenue; only completed days are compared."""
    over = min(days.last, today - 1)
    whole, compared, before = (
        by_currency(rows, first_day=begin, last_day=end) if begin <= end else []
        for begin, end in (
            (days.first, days.last),
            (days.first, over),
            (days.first - days.length, over - days.length),
        )
    )
    span = {"since": days.first * DAY_S, "until": (days.last + 1) * DAY_S}
    received, delivered = _orders(whole), _orders(whole, State.DELIVERED)
    worth = whole[0].once.received.amount if whole else Decimal(0)
    currency = whole[0].currency if whole else ""
    sent = _amount(whole, currency)
    named = f"{money(sent, currency)} {currency}".strip() if whole else "0"
    others = f", and {count_of(len(whole) - 1, 'other currency', 'other currencies')}" if len(whole) > 1 else ""
    return [
        Headline(
            label="Orders received",
            value=thousands(received),
            change=changed(_orders(compared), _orders(before)),
            page=f"deliveries?{urlencode({'is_order': 'yes', **span})}",
        ),
        Headline(
            label="Orders delivered",
            value=thousands(delivered),
            detail=f"{percent(delivered, received)} of received" if received else "",
            change=changed(_orders(compared, State.DELIVERED), _orders(before, State.DELIVERED)),
            page=f"deliveries?{urlencode({'is_order': 'yes', 'state': State.DELIVERED, **span})}",
        ),
        Headline(
            label="Revenue delivered",
            value=named,
            detail=f"{percent(int(sent), int(worth))} of received{others}" if int(worth) else "",
            change=changed(_amount(compared, currency), _amount(before, currency)),
            page="revenue",
        ),
    ]


def _orders(blocks: Sequence[CurrencyTotals], became: str = "") -> int:
    """Return how many orders there are, or became so, each counted once."""
    nothing = OrderTotals()
    return sum((each.once.became.get(became, nothing) if became else each.once.received).orders for each in blocks)


def _amount(blocks: Sequence[CurrencyTotals], currency: str) -> Decimal:
    """Return the delivered amount in a currency."""
    totals = (each.once.became.get(State.DELIVERED) for each in blocks if each.currency == currency)
    return next((each.amount for each in totals if each), Decimal(0))


def _quality_of(summary: Summary, services: ConsoleServices) -> dict[str, Any]:
    """Return the score of the events of a period, and the key with the largest gain; its page has the rest."""
    keys = keys_of_presets(services.running.catalog, (each.name for each in summary.presets))
    busy, components = busy_presets(summary), COMPONENTS
    return {
        "score": overall_score(busy, keys, components) if busy else None,
        "missing": ranked_advice(busy, keys, components, scored=components)[:1],
    }


def _over_time(
    counted: TimedCounters,
    summary: Summary,
    period: Period,
    shifts: Mapping[str, int],
    chosen: PageFilter,
    left: Sequence[Undelivered],
    now: float,
) -> dict[str, Any]:
    """Return the received events of a period and their states, as bars and over time, next to an earlier period."""
    stands = followed(summary, left)
    series = {**stands, **{name: summary.series[name] for name in summary.series if name in drawn_outcomes(chosen)}}
    at_door = [Outcome.ENQUEUED, *drawn_outcomes(chosen)]
    compared = comparisons(counted, period, shifts.values(), now=now, drawn=at_door)
    before = compared.get(shifts.get(chosen.against or "before", 0))
    start = summary.starts[0]
    known = {"made", "sent"} | ({"received"} if not chosen.account else set())
    return {
        "levels": flow(
            counts_between(counted, start, start + period.length_s),
            (before.now, before.before) if before else None,
            Counter({name: sum(counts) for name, counts in stands.items() if name != "delivered"}),
            known=known,
        ),
        "chart": stack(summary.starts, series, before.line if before else None),
        "series": series,
        "before": before,
        "compared": list(compared.values()),
        "span": {"since": start} | ({"until": until} if (until := period.until(now)) else {}),
    }


def busiest(summary: Summary, limit: int | None) -> list[PresetCounts]:
    """Return at most `limit` presets with events (`None`: all), those with the most first."""
    busy = [each for each in summary.presets if each.counts]
    return sorted(busy, key=lambda each: -each.counts[Outcome.MATCHED])[:limit]


def drawn_outcomes(chosen: PageFilter) -> frozenset[Outcome]:
    """Return the outcomes in the chart's bars in addition to deliveries, as far as the page filter counts them.

    Unmatched events are not drawn, because most sources send many more of them.
    """
    unread: set[Outcome] = set() if chosen.account else {Outcome.REFUSED}
    return frozenset({Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD, Outcome.INVALID} | unread)


def last_answers(counters: Sequence[tuple[int, CounterRow]], *, account: str = "") -> tuple[LastAnswers, ...]:
    """Sum the calls by status, the latest first; only those of an ad account if its id is given."""
    found: dict[str, LastAnswers] = {}
    for at, counter in counters:
        if counter.name == "calls" and account in ("", counter.ad_account_id):
            before = found.get(counter.label, LastAnswers(status=counter.label, count=0, last_at=at))
            found[counter.label] = LastAnswers(
                status=counter.label, count=before.count + counter.count, last_at=max(before.last_at, at)
            )
    return tuple(sorted(found.values(), key=lambda answers: (-answers.last_at, answers.status)))
