"""The first page: is it healthy, what was sent, what was not and why."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.catalog import Preset
from app.console import verdict
from app.console.charts import draw, marks, stack
from app.console.counts import (
    PeriodCounts,
    Summary,
    TimedCounters,
    comparison_shifts,
    comparisons,
    counts_between,
    narrowed,
    summarise,
)
from app.console.filter import PARTS, PERIODS, PageFilter, Period, filter_of
from app.console.flow import flow
from app.console.labels import OTHER_KEY_LABELS, with_fresh_timestamp
from app.console.match_keys import PresetKeys, StepsOfKeys, key_trends, ranked_advice, score, score_lines
from app.console.pages import PageGroup, Pages
from app.console.services import ConsoleServices
from app.core.coordination import Switches
from app.core.events import CounterRow, Event, Exit
from app.core.pages import Backlog
from app.core.values.times import HOUR_S, MINUTE_S
from app.errors import OutboxUnavailable
from app.sender.status import DeliveryProblem, all_delivery_problems, read_accounts, total_backlog
from app.source import page_snippet

#: "Pinterest's last answers" are those of the last hour.
ANSWERS_S = HOUR_S
#: Where no period is chosen.
USUAL = next(period for period in PERIODS if period.name == "day")
#: So many presets are listed, those that took most; the others behind a link.
MOST_PRESETS = 12
#: Of so many entries of the audit log, the newest, some are marks on the axis of the chart.
_MARKED = 200
#: Where no preset has an example.
FIRST_EVENT: Event = {"type": "page", "messageId": "first-event"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswers:
    """How often Pinterest gave one status lately."""

    #: The HTTP status, or what stands for the lack of one.
    status: str
    count: int
    #: The minute in which it came last.
    last_at: float


class OverviewPages(PageGroup):
    """The overview and the part of it that refreshes itself."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._counts = PeriodCounts(services.outbox)

    async def show(self, request: Request) -> Response:
        """Show everything; `?part=live` only what changes, for the script."""
        template = "overview_live.html" if request.query_params.get("part") == "live" else "overview.html"
        chosen, shows_all = filter_of(request), request.query_params.get("presets") == "all"
        facts = await self._facts(chosen.period or USUAL, chosen)
        return self._pages.render(
            request,
            template,
            obeys=PARTS,
            usual=f"as usual: {USUAL.label}",
            nav="overview",
            account=chosen.account,
            source=chosen.source,
            curl=self._curl(request),
            snippet=page_snippet(_host(request), "YOUR_WRITE_KEY"),
            shows_all=shows_all,
            listed=busiest(facts["summary"], None if shows_all else MOST_PRESETS),
            **facts,
        )

    async def _facts(self, period: Period, chosen: PageFilter) -> dict[str, Any]:
        """Read the outbox once and work everything out, as far as the page's filter asks for it."""
        services, now = self._services, self._services.clock()
        shifts = comparison_shifts(period, now=now, kept_s=services.outbox_rules.ledger_s)
        counters = await self._counts.read(period, shifts.values(), now=now)
        calls = await self._counts.calls(since=answers_since(now), now=now)
        switches = await Switches.read(services.outbox)
        keeps, told_full_s = services.destination.keeps_while_off, services.destination.told_full_s
        views = (chosen.account,) if chosen.account else services.destination.accounts
        accounts = await read_accounts(
            services.outbox, views, switches=switches, keeps=keeps, told_full_s=told_full_s, now=now
        )
        backlog, found = total_backlog(accounts), all_delivery_problems(accounts)
        counted = narrowed(counters, account=chosen.account_id, source=chosen.source)
        names = [preset.name for preset in services.running.catalog.presets]
        summary = summarise(counted, period, names, now=now, account=chosen.account_id)
        return {
            "summary": summary,
            "period": period,
            **_over_time(counted, summary, period, shifts, chosen, backlog, now),
            "marks": marks((await services.outbox.audit(limit=_MARKED)).entries, counted, summary.starts),
            "backlog": backlog,
            "answers": last_answers(calls, account=chosen.account_id),
            "problems": found,
            "accounts": accounts,
            "switches": switches,
            "empty": not chosen.source and not summary.totals and backlog == Backlog(),
            "health": await self._health(summary, period, chosen, backlog, found, now),
            **_keys_of(counted, summary, services),
        }

    async def _unavailable(self) -> str:
        """Return why no event can be kept, and what helps; "" where they can."""
        try:
            await self._services.outbox.check([each.ad_account_id for each in self._services.destination.accounts])
        except OutboxUnavailable as exc:
            return str(exc)
        return ""

    async def _health(
        self,
        summary: Summary,
        period: Period,
        chosen: PageFilter,
        backlog: Backlog,
        found: Sequence[DeliveryProblem],
        now: float,
    ) -> verdict.Health:
        facts = verdict.HealthFacts(
            now=now,
            live=self._services.destination.live,
            problems=found,
            backlog=backlog,
            received=summary.total("received"),
            delivered=None if chosen.source else summary.total("delivered"),
            matched=summary.totals[Exit.MATCHED],
            invalid=summary.total("invalid"),
            period_words=period.words,
            unavailable=await self._unavailable(),
        )
        return verdict.health_of(facts)

    def _curl(self, request: Request) -> str:
        """Write the command that sends a first event here: the shortest example of a preset, as of now."""
        services = self._services
        examples = [preset.example for preset in services.running.catalog.enabled if preset.example]
        shortest = min(examples, key=lambda example: len(orjson.dumps(example)), default=FIRST_EVENT)
        event = with_fresh_timestamp(shortest, services.clock())
        headers = "".join(f" -H {shlex.quote(line)}" for line in services.destination.sender_headers)
        url = shlex.quote(f"{_host(request)}/webhook")
        body = shlex.quote(orjson.dumps(event).decode())
        return f"curl {url} -H 'Content-Type: application/json'{headers} \\\n  -d {body}"


def _host(request: Request) -> str:
    """Return where Pinrelay is, as whoever looks at the page sees it."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _keys_of(counted: TimedCounters, summary: Summary, services: ConsoleServices) -> dict[str, Any]:
    """Return which keys the events of each preset can carry, how well they do over time, and what would bring most."""
    catalog, components = services.running.catalog, services.quality_components
    keys = {
        preset.name: PresetKeys(event_name=_fixed(preset, "event_name"), action_source=_fixed(preset, "action_source"))
        for preset in catalog.presets
    }
    gone = PresetKeys(event_name="", action_source="")
    of_counted = {each.name: keys.get(each.name, gone) for each in summary.presets}
    busy = [each for each in summary.presets if each.counts[Exit.ENQUEUED]]
    steps = StepsOfKeys(counted, summary.starts)
    lines = score_lines(steps, busy, of_counted, components)
    return {
        "keys": of_counted,
        "scores": {each.name: score(each, of_counted[each.name], components) for each in summary.presets},
        "score_bars": {name: draw(line) for name, line in lines.items()},
        "key_trends": key_trends(steps, busy, of_counted, (*components, *OTHER_KEY_LABELS)),
        "key_advice": ranked_advice(
            busy, of_counted, (*components, *OTHER_KEY_LABELS), summary.warned, services.settings_set
        ),
    }


def _fixed(preset: Preset, field: str) -> str:
    """Return what a preset always sends in a field; "" where the event decides."""
    value = preset.mapping.literal(field)
    return value if isinstance(value, str) else ""


def _over_time(
    counted: TimedCounters,
    summary: Summary,
    period: Period,
    shifts: Mapping[str, int],
    chosen: PageFilter,
    backlog: Backlog,
    now: float,
) -> dict[str, Any]:
    """Return where events went, as bars and over time, beside what they are compared with."""
    drawn = [name for name in summary.series if name in drawn_outcomes(chosen)]
    compared = comparisons(counted, period, shifts.values(), now=now, drawn=drawn)
    before = compared.get(shifts.get(chosen.against or "before", 0))
    start = summary.starts[0]
    known = {"made"} | ({"sent"} if not chosen.source else set()) | ({"received"} if not chosen.account else set())
    return {
        "levels": flow(
            counts_between(counted, start, start + period.length_s),
            (before.now, before.before) if before else None,
            backlog,
            known=known,
        ),
        "chart": stack(summary.starts, {name: summary.series[name] for name in drawn}, before.line if before else None),
        "drawn": drawn,
        "before": before,
        "compared": list(compared.values()),
        "span": {"since": start} | ({"until": until} if (until := period.until(now)) else {}),
    }


def busiest(summary: Summary, limit: int | None) -> frozenset[str]:
    """Return the names of the presets that took most events, at most so many; None: all that took any."""
    busy = [each for each in summary.presets if each.counts]
    most = sorted(busy, key=lambda each: -each.counts[Exit.MATCHED])
    return frozenset(each.name for each in most[:limit])


def drawn_outcomes(chosen: PageFilter) -> frozenset[Exit]:
    """Return what the chart's bars are made of: what came of events, as far as it is counted by what is chosen.

    Events that no preset takes are not drawn: most sources send many more of them.
    """
    sent = {Exit.ENQUEUED} if chosen.source else {Exit.DELIVERED, Exit.REJECTED}
    unread: set[Exit] = set() if chosen.account else {Exit.REFUSED}
    return frozenset({Exit.MERGED, Exit.DUPLICATE, Exit.WITHHELD, Exit.INVALID} | sent | unread)


def answers_since(now: float) -> int:
    """Return since which minute "Pinterest's last answers" are looked at."""
    return int(now - ANSWERS_S) // MINUTE_S * MINUTE_S


def last_answers(counters: Sequence[tuple[int, CounterRow]], *, account: str = "") -> tuple[LastAnswers, ...]:
    """Sum the calls by status, the latest first; with the id of an ad account only those for it."""
    found: dict[str, LastAnswers] = {}
    for at, counter in counters:
        if counter.name == "calls" and account in ("", counter.ad_account_id):
            before = found.get(counter.label, LastAnswers(status=counter.label, count=0, last_at=at))
            found[counter.label] = LastAnswers(
                status=counter.label, count=before.count + counter.count, last_at=max(before.last_at, at)
            )
    return tuple(sorted(found.values(), key=lambda answers: (-answers.last_at, answers.status)))
