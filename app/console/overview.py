"""The first page: is it healthy, what was sent, what was not and why."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.catalog import Catalog, Preset
from app.console import verdict
from app.console.chart import draw
from app.console.examples import fresh
from app.console.flow import Level, WindowCounts, flow
from app.console.match_keys import PresetKeys, ranked_advice, score
from app.console.pages import Pages
from app.console.services import ConsoleServices
from app.console.summary import SERIES, WINDOWS, Summary, Window, summarise
from app.coordination import Switches
from app.delivery import Standing, all_standings, read_accounts, whole_backlog
from app.errors import OutboxUnavailable
from app.types import AccountView, Backlog, Event, Exit, Tally

#: "Pinterest's last answers" are those of the last hour.
ANSWERS_S = 3_600
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


class OverviewPages:
    """The overview and the part of it that refreshes itself."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """Show everything; `?part=live` only what changes, for the script."""
        wanted = request.query_params.get("window")
        window = next((each for each in WINDOWS if each.name == wanted), WINDOWS[1])
        template = "overview_live.html" if request.query_params.get("part") == "live" else "overview.html"
        asked = request.query_params.get("account", "")
        accounts = self._services.destination.accounts
        account = next((each for each in accounts if each.ad_account_id == asked and each.name), None)
        facts = await self._facts(window, account)
        return self._pages.render(
            request,
            template,
            nav="overview",
            window=window,
            windows=WINDOWS,
            account=account,
            curl=self._curl(request),
            **facts,
        )

    async def _facts(self, window: Window, account: AccountView | None) -> dict[str, Any]:
        """Read the outbox once and work everything out, of one ad account or of all."""
        services, now = self._services, self._services.clock()
        names = [preset.name for preset in services.running.catalog.presets]
        since = window.starts(now)[0] - window.length_s  # the window before is compared with it
        tallies = await services.outbox.tallies(since=since, step_s=window.step_s)
        minutes = await services.outbox.tallies(since=now - ANSWERS_S, step_s=60)
        switches = await Switches.read(services.outbox)
        keeps, which = services.destination.keeps_while_off, account.ad_account_id if account else ""
        views = (account,) if account else services.destination.accounts
        accounts = await read_accounts(services.outbox, views, is_off=switches.is_off, keeps=keeps, now=now)
        backlog, found = whole_backlog(accounts), all_standings(accounts)
        summary = summarise(tallies, window, names, now=now, account=which)
        return {
            "summary": summary,
            "levels": _flow(summary, tallies, backlog, account=which),
            "charts": {name: draw(summary.series[name]) for name in SERIES},
            "backlog": backlog,
            "answers": last_answers(minutes, account=which),
            "standings": found,
            "accounts": accounts,
            "switches": switches,
            "empty": not summary.totals and backlog == Backlog(),
            "health": verdict.health_of(
                replace(self._signs(summary, window, backlog, found, now), unavailable=await self._unavailable())
            ),
            "components": services.quality_components,
            **_keys_of(summary, services.running.catalog, services.quality_components),
        }

    async def _unavailable(self) -> str:
        """Return why no event can be kept, and what helps; "" where they can."""
        try:
            await self._services.outbox.check([each.ad_account_id for each in self._services.destination.accounts])
        except OutboxUnavailable as exc:
            return str(exc)
        return ""

    def _signs(
        self, summary: Summary, window: Window, backlog: Backlog, found: Sequence[Standing], now: float
    ) -> verdict.Signs:
        return verdict.Signs(
            now=now,
            live=self._services.destination.live,
            standings=found,
            backlog=backlog,
            received=summary.total("received"),
            delivered=summary.total("delivered"),
            matched=summary.totals[Exit.MATCHED],
            invalid=summary.total("invalid"),
            window_label=window.label,
        )

    def _curl(self, request: Request) -> str:
        """Write the command that sends a first event here: the shortest example of a preset, as of now."""
        services = self._services
        examples = [preset.example for preset in services.running.catalog.enabled if preset.example]
        shortest = min(examples, key=lambda example: len(orjson.dumps(example)), default=FIRST_EVENT)
        event = fresh(shortest, services.clock())
        headers = "".join(f" -H {shlex.quote(line)}" for line in services.destination.sender_headers)
        url = shlex.quote(f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}/webhook")
        body = shlex.quote(orjson.dumps(event).decode())
        return f"curl {url} -H 'Content-Type: application/json'{headers} \\\n  -d {body}"


def _keys_of(summary: Summary, catalog: Catalog, components: Sequence[str]) -> dict[str, Any]:
    """Return by preset which keys its events can carry and how well they do, and what would bring most."""
    keys = {
        preset.name: PresetKeys(event_name=_fixed(preset, "event_name"), action_source=_fixed(preset, "action_source"))
        for preset in catalog.presets
    }
    gone = PresetKeys(event_name="", action_source="")
    of_counted = {each.name: keys.get(each.name, gone) for each in summary.presets}
    return {
        "keys": of_counted,
        "scores": {each.name: score(each, of_counted[each.name], components) for each in summary.presets},
        "key_advice": ranked_advice(summary.presets, of_counted, components),
    }


def _fixed(preset: Preset, field: str) -> str:
    """Return what a preset always sends in a field; "" where the event decides."""
    value = preset.mapping.literal(field)
    return value if isinstance(value, str) else ""


def _flow(
    summary: Summary, tallies: Sequence[tuple[float, Tally]], backlog: Backlog, *, account: str
) -> tuple[Level, ...]:
    """Return where events went, beside the window before, whose counts are among the tallies."""
    start = summary.starts[0]
    earlier = [tally for at, tally in tallies if at < start and account in ("", tally.ad_account_id)]
    totals: Counter[str] = Counter()
    for tally in earlier:
        totals[tally.name] += tally.count
    of_presets = sum(tally.count for tally in earlier if tally.preset and tally.name == Exit.WITHHELD)
    return flow(
        WindowCounts(
            totals=summary.totals,
            withheld_of_presets=sum(preset.counts[Exit.WITHHELD] for preset in summary.presets),
        ),
        WindowCounts(totals=totals, withheld_of_presets=of_presets),
        backlog,
        whole=not account,
    )


def last_answers(tallies: Sequence[tuple[float, Tally]], *, account: str = "") -> tuple[LastAnswers, ...]:
    """Sum the calls by status, the latest first; with the id of an ad account only those for it."""
    found: dict[str, LastAnswers] = {}
    for at, tally in tallies:
        if tally.name == "calls" and account in ("", tally.ad_account_id):
            before = found.get(tally.label, LastAnswers(status=tally.label, count=0, last_at=at))
            found[tally.label] = LastAnswers(
                status=tally.label, count=before.count + tally.count, last_at=max(before.last_at, at)
            )
    return tuple(sorted(found.values(), key=lambda answers: (-answers.last_at, answers.status)))
