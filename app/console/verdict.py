"""The problems that need an operator: a line for each problem and ad account, with its cost and a button.

Pure functions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal
from urllib.parse import urlencode

from app.console.labels import money, time_span
from app.core.pages import Backlog, DeadLoss
from app.core.values.texts import count_of
from app.core.values.times import HOUR_S
from app.insights.alerts.overall import LATE_S, Alert
from app.sender.status import OF_ALL, PROBLEM_STATES, AccountStatus, DeliveryProblem

#: Maximum number of displayed lines.
MOST_SHOWN: Final = 5
#: A higher share of invalid events than one in this number needs attention.
INVALID_ONE_IN: Final = 10
_BAD: Final = frozenset({"full", "blocked", "refusing", "failing", "set aside"})
#: Suffixes of the keys of alerts about a single ad account, which the account's lines already show.
_TOLD_BY_ACCOUNT: Final = frozenset({*PROBLEM_STATES, "backlog", "dead"})
#: Pages for alerts, by the prefix of their keys.
_OF_ALERTS: Final[Mapping[str, tuple[str, str]]] = {
    "tag": ("See the tag check", "tag-check"),
    "memory": ("See People", "people"),
    "refused requests": ("See the sources", "mappings"),
    "sent twice": ("See the orders", "deliveries?warning=another+total"),
    "presets": ("See the presets", "mappings"),
    "reports": ("See Pinterest’s reports", "pinterest"),  # noqa: RUF001 - an apostrophe
    "warnings": ("See the warnings", "#part-warnings"),
}
_EVENTS: Final = ("See the events", "inventory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """The button of a line."""

    label: str
    #: Below /console/.
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A problem that needs an operator."""

    level: Literal["warn", "bad"]
    sentence: str
    #: The effect on events, and the remedy.
    detail: str = ""
    #: Unix seconds; `None` if unknown.
    since: float | None = None
    #: The number of waiting or lost events; `None` if unknown.
    events: int | None = None
    #: Their value by currency; "" without a currency.
    worth: Mapping[str, Decimal] = field(default_factory=dict)
    act: Act | None = None

    @property
    def money(self) -> list[str]:
        """Return the cost as texts, the largest first."""
        found = sorted(self.worth.items(), key=lambda each: -each[1])
        return [f"{money(amount, currency)} {currency}".strip() for currency, amount in found if amount]

    def rank(self, now: float) -> tuple[float, ...]:
        """Return the sort key of lines: money per hour, then events, then severity; the smallest key comes first."""
        hours = max(1.0, (now - self.since) / HOUR_S) if self.since is not None else 1.0
        return -float(sum(self.worth.values())) / hours, -(self.events or 0), self.level != "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """The facts behind the lines."""

    now: float
    live: bool
    accounts: Sequence[AccountStatus]
    #: The value of waiting deliveries, by ad account and currency.
    waiting_worth: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    losses: Sequence[DeadLoss] = ()
    #: Alerts about all ad accounts and about event names, in addition to those of each ad account.
    alerts: Sequence[Alert] = ()
    #: In the displayed period.
    received: int
    matched: int
    invalid: int
    #: As in `in the last hour`.
    period_words: str
    #: The filters of the period's list.
    span: Mapping[str, int] = field(default_factory=dict)
    #: Why no event can be stored, with the remedy; "" if events can be stored.
    unavailable: str = ""


def needs_of(facts: HealthFacts) -> list[Need]:
    """Return all problems that need an operator, the most expensive first."""
    found = [need for status in facts.accounts for need in _of_account(status, facts)]
    others = (each for each in facts.alerts if each.key.rpartition(": ")[2] not in _TOLD_BY_ACCOUNT)
    found += [*_of_all(facts), *_dead(facts), *_invalid(facts), *map(_of_alert, others)]
    found.sort(key=lambda need: need.rank(facts.now))
    if facts.unavailable:
        sentence = "Events are turned away: they cannot be kept."
        found.insert(0, Need(level="bad", sentence=sentence, detail=facts.unavailable))
    return found


def quiet_line(facts: HealthFacts) -> str:
    """Return the text if there are no problems."""
    waiting = sum(each.backlog.pending + each.backlog.claimed for each in facts.accounts)
    if not facts.received and not waiting:
        return f"Nothing was received {facts.period_words}. If events should arrive, check the source."
    where = "delivered" if facts.live else "delivered to the sandbox"
    rest = f"; {count_of(waiting, 'delivery is', 'deliveries are')} on the way" if waiting else ""
    return f"Nothing needs you. All events to be sent in the last hour were {where}{rest}."


def _of_account(status: AccountStatus, facts: HealthFacts) -> Iterator[Need]:
    backlog, account = status.backlog, status.account.ad_account_id
    problems = [each for each in status.named if each.state not in OF_ALL]
    for problem in problems:
        waits = problem.state != "set aside"
        yield Need(
            level="bad" if problem.state in _BAD else "warn",
            sentence=problem.sentence,
            detail=_detail(problem, facts.now),
            since=problem.since if problem.since is not None else backlog.oldest_at,
            events=_waiting(backlog) if waits else None,
            worth=facts.waiting_worth.get(account, {}) if waits else {},
            act=_act(problem, account),
        )
    is_held = any(each.state == "preset switched off" for each in status.problems)
    if not problems and not is_held and backlog.oldest_at is not None and facts.now - backlog.oldest_at > LATE_S:
        whose = f"{status.account.name}: " if status.account.name else ""
        waited = time_span(facts.now - backlog.oldest_at)
        yield Need(
            level="bad",
            sentence=f"{whose}Deliveries are late: the oldest has waited for {waited}.",
            detail="Pinterest’s last answers below say why, or no sending process runs.",  # noqa: RUF001 - an apostrophe
            since=backlog.oldest_at,
            events=_waiting(backlog),
            worth=facts.waiting_worth.get(account, {}),
            act=_see_waiting(account),
        )


def _of_all(facts: HealthFacts) -> Iterator[Need]:
    """Yield each common problem of all ad accounts once."""
    held = [each for each in facts.accounts if any(one.state == "preset switched off" for one in each.problems)]
    for problem in {
        one.sentence: one for each in facts.accounts for one in each.problems if one.state in OF_ALL
    }.values():
        waits = problem.state == "preset switched off"
        oldest = [each.backlog.oldest_at for each in held if each.backlog.oldest_at is not None]
        yield Need(
            level="warn",
            sentence=problem.sentence,
            detail=_detail(problem, facts.now),
            since=min(oldest, default=None) if waits else problem.since,
            events=sum(_waiting(each.backlog) for each in held) if waits else None,
            act=Act(label="Switch it on", page="mappings") if waits else None,
        )


def _detail(problem: DeliveryProblem, now: float) -> str:
    wait_s = 0 if problem.next_try_at is None else problem.next_try_at - now
    again = f"The next try is in {time_span(wait_s)}." if wait_s > 0 else ""
    return " ".join(part for part in (problem.detail, problem.remedy, again) if part)


def _act(problem: DeliveryProblem, account: str) -> Act:
    if problem.state == "switched off":
        return Act(label="Switch it on", page="mappings")
    if problem.state == "set aside":
        return Act(label="See the deliveries", page=f"deliveries?{urlencode({'ad_account_id': account})}")
    return _see_waiting(account)


def _see_waiting(account: str) -> Act:
    return Act(label="See what waits", page=f"deliveries?{urlencode({'state': 'waiting', 'ad_account_id': account})}")


def _waiting(backlog: Backlog) -> int:
    return backlog.pending + backlog.claimed


def _dead(facts: HealthFacts) -> Iterator[Need]:
    """Yield a line for each message of Pinterest with which an ad account's deliveries became dead."""
    names = {each.account.ad_account_id: each.account.name for each in facts.accounts}
    causes: defaultdict[tuple[str, str], list[DeadLoss]] = defaultdict(list)
    for loss in facts.losses:
        if loss.ad_account_id in names:
            causes[loss.ad_account_id, loss.reason].append(loss)
    for (account, reason), some in causes.items():
        whose, count = f"{names[account]}: " if names[account] else "", sum(each.count for each in some)
        query = urlencode({"ad_account_id": account, "cause": reason})
        yield Need(
            level="warn",
            sentence=f"{whose}{count_of(count, 'event was', 'events were')} rejected: {reason.rstrip('.')}.",
            detail="Fix the cause, then redrive.",
            since=min(each.first_at for each in some),
            events=count,
            worth={each.currency: each.amount for each in some},
            act=Act(label="Review and redrive", page=f"redrive?{query}"),
        )


def _invalid(facts: HealthFacts) -> Iterator[Need]:
    if facts.invalid * INVALID_ONE_IN > facts.matched:
        matched = count_of(facts.matched, "matched one")
        yield Need(
            level="warn",
            sentence=f"{count_of(facts.invalid, 'event')} of {matched} could not be sent {facts.period_words}.",
            detail="Pinterest would refuse them. Their reasons say which field is missing or wrong.",
            events=facts.invalid,
            act=Act(label="See why", page=f"deliveries?{urlencode({'outcome': 'invalid', **facts.span})}"),
        )


def _of_alert(alert: Alert) -> Need:
    sentence, _, detail = alert.text.partition(". ")
    label, page = next((act for start, act in _OF_ALERTS.items() if alert.key.startswith(start)), _EVENTS)
    return Need(
        level="warn",
        sentence=f"{sentence.rstrip('.')}.",
        detail=detail,
        since=alert.since,
        events=alert.events,
        worth=alert.money,
        act=Act(label=label, page=page),
    )
