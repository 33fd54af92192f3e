"""Match quality: how well events can be matched to people, over time, and what would bring most."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.catalog import Catalog
from app.console.counts import PresetCounts, StepCounts, Summary, TimedCounters, comparison_shifts, narrowed, summarise
from app.console.filter import PERIODS, PageFilter, Period, filter_of
from app.console.labels import OTHER_KEY_LABELS
from app.console.match_keys import (
    KeyAdvice,
    KeyTrend,
    StepsOfKeys,
    busy_presets,
    key_trends,
    keys_of_presets,
    missing_keys,
    overall_score,
    ranked_advice,
    shares_of_all,
)
from app.console.pages import PageGroup, Pages
from app.console.services import ConsoleServices
from app.core.events import Exit

#: Where no period is chosen.
_USUAL: Final = next(period for period in PERIODS if period.name == "week")
#: So many of the keys that are missing most are named in a line.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """The score of the events of one preset, or of one ad account, or of both."""

    name: str
    #: "" of all of them.
    preset: str
    ad_account_id: str
    events: int
    score: int
    #: Of the period that it is compared with; None where nothing was sent then, or nothing is compared.
    before: int | None
    #: In each step of the period, as `KeyTrend.shares`.
    shares: tuple[int, ...]
    #: The keys that are missing most, each with how many of its events lack it.
    missing: tuple[tuple[str, int], ...]

    @property
    def change(self) -> int:
        """By how many points it differs from before; 0 where that is not known."""
        return 0 if self.before is None else self.score - self.before

    @property
    def trend(self) -> KeyTrend:
        """The score over time, to be drawn."""
        return KeyTrend(component=self.name, events=self.events, carried=0, shares=self.shares)


class QualityPages(PageGroup):
    """The page of match quality."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._counts = StepCounts(services.outbox, names=(Exit.ENQUEUED, "quality", "memory", "warning"))

    async def show(self, request: Request) -> Response:
        """Show the score and what would raise it."""
        chosen, now = filter_of(request), self._services.clock()
        period, components = chosen.period or _USUAL, self._services.quality_components
        shifts = comparison_shifts(period, now=now, kept_s=self._services.outbox_rules.ledger_s)
        shift = shifts.get(chosen.against or "before")
        start = period.starts(now)[0]
        read = await self._counts.read(since=start - (shift or 0), step_s=period.step_s, now=now)
        counted = narrowed(read, account=chosen.account_id, source=chosen.source)
        view = _View(counted, period, shift, now, self._services.running.catalog, components)
        every = (*components, *OTHER_KEY_LABELS)
        busy, keys, whole = busy_presets(view.summary), view.keys, view.line("All events")
        return self._pages.render(
            request,
            "quality.html",
            obeys=("account", "from", "period", "against"),
            usual=f"as usual: {_USUAL.label}",
            nav="quality",
            period=period,
            before=period.named_before(shift) if shift and whole.before is not None else "",
            whole=whole,
            lines=view.lines(chosen, self._services),
            advice=view.advice(busy, every, self._services.settings_set),
            trends=key_trends(view.steps, busy, keys, every),
            components=components,
            busy=busy,
            keys=keys,
            starts=view.summary.starts,
            span={"since": start} | ({"until": until} if (until := period.until(now)) else {}),
        )


class _View:
    """What is counted of match keys in a period, and in the one that it is compared with."""

    def __init__(
        self,
        counted: TimedCounters,
        period: Period,
        shift: int | None,
        now: float,
        catalog: Catalog,
        components: Sequence[str],
    ) -> None:
        start, until = period.starts(now)[0], period.complete_until(now)
        self.counted = [(at, counter) for at, counter in counted if at >= start]
        self.keys, self.components = keys_of_presets(catalog, (counter.preset for _, counter in counted)), components
        self._period, self._now = period, now
        self.summary = self._summary(self.counted)
        self.steps = StepsOfKeys(self.counted, self.summary.starts)
        moved = [(at + shift, counter) for at, counter in counted if at < until - shift] if shift else []
        self._earlier = self._summary(moved)
        self._moved = moved

    def _summary(self, counted: TimedCounters) -> Summary:
        return summarise(counted, self._period, (), now=self._now)

    def advice(self, busy: Sequence[PresetCounts], every: Sequence[str], settings: Collection[str]) -> list[KeyAdvice]:
        """Return what would bring most; `settings` are those that are set already."""
        warned, scored = self.summary.warned, self.components
        return ranked_advice(busy, self.keys, every, warned, settings, counters=self.counted, scored=scored)

    def line(self, name: str, *, preset: str = "", account: str = "") -> ScoreLine:
        """Return the score of a preset's events, or of an ad account's."""
        counted, moved = self.counted, self._moved
        now, earlier, steps = self.summary, self._earlier, self.steps
        if account:
            counted, moved = (narrowed(each, account=account, source="") for each in (counted, moved))
            now, earlier = self._summary(counted), self._summary(moved)
            steps = StepsOfKeys(counted, now.starts)
        of, then = ([each for each in busy_presets(one) if preset in ("", each.name)] for one in (now, earlier))
        return ScoreLine(
            name=name,
            preset=preset,
            ad_account_id=account,
            events=sum(each.counts[Exit.ENQUEUED] for each in of),
            score=overall_score(of, self.keys, self.components),
            before=overall_score(then, self.keys, self.components) if then else None,
            shares=shares_of_all(steps, of, self.keys, self.components),
            missing=tuple(missing_keys(of, self.keys, self.components)[:_NAMED]),
        )

    def lines(self, chosen: PageFilter, services: ConsoleServices) -> list[ScoreLine]:
        """Return a line for each ad account, where there are several, and one for each preset."""
        accounts = services.destination.accounts if not chosen.account else ()
        by_account = [self.line(each.shown, account=each.ad_account_id) for each in accounts if len(accounts) > 1]
        by_preset = [self.line(each.name, preset=each.name) for each in busy_presets(self.summary)]
        return [each for each in (*by_account, *by_preset) if each.events]
