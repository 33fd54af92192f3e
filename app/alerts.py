"""Alerts for those who run no Prometheus: ALERT_WEBHOOK_URL is told once when a condition begins, once when it clears.

The conditions are those of docs/prometheus-alerts.yaml, read from the outbox instead.
Which alerts are open is a shared value of the outbox. Whoever writes a change of it first tells it,
so that several processes tell once. A crash between the two loses that message.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

import httpx
from pydantic import SecretStr

from app.coordination import Switches
from app.delivery import AccountStanding, ReadsBacklog, Shutdown, read_accounts
from app.errors import OutboxUnavailable
from app.log import logger
from app.shared_values import OPEN_ALERTS
from app.types import AccountView, Exit, Tally

PERIOD_S = 60.0
#: So many looks in a row must fail before an unreadable outbox is told.
OUTBOX_DOWN_LOOKS = 2

LATE_S = 3_600
#: The accepted events of the last full hour are a drop below this part of the median of the same hour of other days,
#: of which there must be some; less than so many events are too few to judge.
DROP_BELOW = 0.5
LEAST_DAYS, MOST_DAYS, LEAST_EVENTS = 3, 7, 20
#: Warnings for each enqueued event of the last full hour grow above this, and above so many times the day before.
WARNINGS_SHARE, WARNINGS_TIMES = 0.05, 2

_HOUR_S = 3_600
_DAY_S = 24 * _HOUR_S
_FULL = "Memory is full: as many ids as REMEMBER_MAX_PEOPLE are marked, and nothing is remembered. Raise it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One condition that holds."""

    #: Names the condition, and stays the same while it holds.
    key: str
    #: For people: what it is and what to do. No personal data.
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the conditions are judged by."""

    now: float
    accounts: Sequence[AccountStanding]
    #: Counts by name of each hour, keyed by its start in Unix seconds; an hour without any is left out.
    hours: Mapping[int, Mapping[str, int]]
    #: How many deliveries died, by ad account and hour.
    rejected: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @property
    def hour_at(self) -> int:
        """When the last full hour began."""
        return int(self.now // _HOUR_S - 1) * _HOUR_S

    def count(self, name: str, hour_at: int) -> int:
        """Return the count of one name in the hour that begins at `hour_at`."""
        return self.hours.get(hour_at, {}).get(name, 0)

    def lately(self, name: str) -> int:
        """Return the count of one name in the last full hour and the one that runs."""
        return self.count(name, self.hour_at) + self.count(name, self.hour_at + _HOUR_S)


def conditions(facts: Facts) -> list[Alert]:
    """Return every condition that holds."""
    found = [alert for account in facts.accounts for alert in _of_account(account, facts)]
    full = Alert(key="memory", text=_FULL) if facts.lately("memory_full") else None
    return list({alert.key: alert for alert in (*found, _drop(facts), _warnings(facts), full) if alert}.values())


def _of_account(account: AccountStanding, facts: Facts) -> list[Alert]:
    """Return the conditions that hold for one ad account; its name stands in them."""
    name = account.account.name
    found = [Alert(key=each.state, text=each.text) for each in account.standings]
    found += filter(None, (_late(account, facts), _dead(account, facts)))
    return [
        replace(each, key=f"{name}: {each.key}", text=f"{name}: {each.text}") if name and each.key != "clock" else each
        for each in found
    ]


def _late(account: AccountStanding, facts: Facts) -> Alert | None:
    oldest_at = account.backlog.oldest_at
    if oldest_at is None or facts.now - oldest_at <= LATE_S:
        return None
    hours = (facts.now - oldest_at) / _HOUR_S
    return Alert(key="backlog", text=f"Deliveries are late: the oldest has waited for {hours:.1f} hours.")


def _dead(account: AccountStanding, facts: Facts) -> Alert | None:
    """Judge new ones beside those that there are: whoever redrives them all clears it at once."""
    new = sum(facts.rejected.get((account.account.ad_account_id, facts.hour_at + n * _HOUR_S), 0) for n in (0, 1))
    if not new or not account.backlog.dead:
        return None
    text = f"Dead letters grow: {new} within the last hours. `pinrelay dead-letters` has reasons."
    return Alert(key="dead", text=text)


def _drop(facts: Facts) -> Alert | None:
    first_at = min(facts.hours, default=facts.hour_at)
    earlier = [facts.hour_at - day * _DAY_S for day in range(1, MOST_DAYS + 1)]
    counts = [facts.count(Exit.ACCEPTED, hour_at) for hour_at in earlier if hour_at >= first_at]
    if len(counts) < LEAST_DAYS or (usual := median(counts)) < LEAST_EVENTS:
        return None
    if (count := facts.count(Exit.ACCEPTED, facts.hour_at)) >= DROP_BELOW * usual:
        return None
    return Alert(key="volume", text=f"Few events arrive: {count} in the last full hour, usual are {usual:g}.")


def _warnings(facts: Facts) -> Alert | None:
    count, before = facts.count("warning", facts.hour_at), [facts.hour_at - n * _HOUR_S for n in range(1, 25)]
    enqueued_before = sum(facts.count(Exit.ENQUEUED, hour_at) for hour_at in before)
    if count < LEAST_EVENTS or not enqueued_before:
        return None
    share = count / max(1, facts.count(Exit.ENQUEUED, facts.hour_at))
    usual = sum(facts.count("warning", hour_at) for hour_at in before) / enqueued_before
    if share <= max(WARNINGS_SHARE, WARNINGS_TIMES * usual):
        return None
    text = f"Warnings grow: {share:.2f} an event in the last full hour, {usual:.2f} the day before. See the console."
    return Alert(key="warnings", text=text)


class _AlertsOutbox(ReadsBacklog, Protocol):
    async def check(self, ad_account_ids: Collection[str] = ()) -> None: ...

    async def tallies(self, *, since: float, step_s: int) -> list[tuple[float, Tally]]: ...


def alerts_to(
    url: SecretStr | None,
    outbox: _AlertsOutbox,
    *,
    accounts: Sequence[AccountView],
    keeps_while_off: bool = True,
    clock: Callable[[], float],
) -> tuple["Alerts", ...]:
    """Make the background task that tells `url`; none where there is no URL."""
    if not url:
        return ()
    return (Alerts(outbox, accounts=accounts, url=url, keeps_while_off=keeps_while_off, clock=clock),)


class Alerts:
    """A background task: `run` until `stop`."""

    def __init__(
        self,
        outbox: _AlertsOutbox,
        *,
        accounts: Sequence[AccountView],
        url: SecretStr,
        keeps_while_off: bool = True,
        clock: Callable[[], float],
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._url = url
        #: Whether events are kept while the destination is switched off.
        self._keeps_while_off = keeps_while_off
        self._clock = clock
        self._client = client or httpx.AsyncClient(timeout=10)
        self._shutdown = Shutdown()
        self._failed_looks = 0

    async def run(self) -> None:
        """Look every minute until `stop`. No trouble ends it: neither the outbox' nor the webhook's."""
        async with self._client:
            while not self._shutdown.requested:
                await self.look()
                await self._shutdown.rest(PERIOD_S)

    def stop(self) -> None:
        """End `run` after the look under way."""
        self._shutdown.request()

    async def look(self) -> None:
        """Judge the conditions once, and tell what began or cleared since."""
        unavailable = [await self._failure(work) for work in (self._check, self._judge)]
        if any(unavailable):
            self._failed_looks += 1
            if self._failed_looks == OUTBOX_DOWN_LOOKS:
                await self._post([f"Events are turned away with 503: {next(filter(None, unavailable))}"])
            return
        if self._failed_looks >= OUTBOX_DOWN_LOOKS:
            await self._post(["Cleared: the outbox can be used again."])
        self._failed_looks = 0

    async def _failure(self, work: Callable[[], Awaitable[None]]) -> OutboxUnavailable | None:
        try:
            await work()
        except OutboxUnavailable as exc:
            return exc
        return None

    async def _check(self) -> None:
        await self._outbox.check([each.ad_account_id for each in self._accounts])

    async def _judge(self) -> None:
        await self._tell_changes({alert.key: alert.text for alert in conditions(await self._facts())})

    async def _facts(self) -> Facts:
        now = self._clock()
        hours: defaultdict[int, Counter[str]] = defaultdict(Counter)
        rejected: Counter[tuple[str, int]] = Counter()
        since = (now // _HOUR_S) * _HOUR_S - (MOST_DAYS + 1) * _DAY_S
        for at, tally in await self._outbox.tallies(since=since, step_s=_HOUR_S):
            hours[int(at)][tally.name] += tally.count
            if tally.name == Exit.REJECTED:
                rejected[tally.ad_account_id, int(at)] += tally.count
        off, keeps = (await Switches.read(self._outbox)).is_off, self._keeps_while_off
        accounts = await read_accounts(self._outbox, self._accounts, is_off=off, keeps=keeps, now=now)
        return Facts(now=now, accounts=accounts, hours=hours, rejected=rejected)

    async def _tell_changes(self, holding: dict[str, str]) -> None:
        stored = await OPEN_ALERTS.read_revised(self._outbox)
        told = stored.value or {}
        lines = [text for key, text in holding.items() if key not in told]
        lines += [f"Cleared: {text}" for key, text in told.items() if key not in holding]
        if not lines:
            return
        # A condition that goes on keeps its first text, so that what clears is what was told.
        now_open = {key: told.get(key, text) for key, text in holding.items()}
        revision = await OPEN_ALERTS.write(self._outbox, now_open, revision=stored.revision)
        if revision and not await self._post(lines):  # take it back, so that the next look tries again
            await OPEN_ALERTS.write(self._outbox, told, revision=revision)

    async def _post(self, lines: list[str]) -> bool:
        """Return whether the webhook took the message. Its URL is a secret: errors are logged without it."""
        try:
            body = {"text": "\n".join(f"Pinrelay: {line}" for line in lines)}
            answer = await self._client.post(self._url.get_secret_value(), json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            logger().error("alert not told", error=type(exc).__name__)
            return False
        if not answer.is_success:
            logger().error("alert not told", status=answer.status_code)
        return answer.is_success
