"""The status of delivery by ad account, in words, and the time until the backlog is full."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from app.config import Settings
from app.core.coordination import Switches
from app.core.events import CounterRow, Outcome
from app.core.log import logger
from app.core.pages import AccountView, Backlog
from app.core.shared_values import (
    CLOCK_JUMPS,
    SET_ASIDE,
    TROUBLE,
    ClockJump,
    SetAside,
    Trouble,
    TroubleState,
)
from app.core.values.texts import count_of
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.outbox import Outbox

#: The period of the rate.
RATE_S: Final = HOUR_S
#: Deliveries that waited for less are under way, and need no rate.
ON_ITS_WAY_S: Final = 60.0
#: The disk size of a waiting delivery without its payload: rows, keys, indexes (docs/scaling.md).
ROW_BYTES: Final = 800

_WAYS: Final[Mapping[str, int]] = {
    Outcome.ENQUEUED: 1,
    Outcome.DELIVERED: -1,
    Outcome.REJECTED: -1,
    Outcome.WITHDRAWN: -1,
}
#: The names of all counts for a rate.
RATE_NAMES: Final = frozenset(map(str, _WAYS))


def waits_long(backlog: Backlog, now: float) -> bool:
    """Return whether a delivery has waited so long that the backlog may be growing."""
    return backlog.oldest_at is not None and now - backlog.oldest_at > ON_ITS_WAY_S


def full_in_s(backlogs: Mapping[str, Backlog], counters: Iterable[CounterRow]) -> dict[str, float]:
    """Return the seconds until the backlog of each ad account is full, without backlogs that do not grow.

    `counters` are the counts of the last `RATE_S`: the growth is the number of enqueued minus settled deliveries, at
    the mean size of waiting ones. All ad accounts share the disk, so their total growth fills the disk; limits apply
    per ad account.
    """
    grown: Counter[str] = Counter()
    for counter in counters:
        grown[counter.ad_account_id] += _WAYS.get(counter.name, 0) * counter.count
    growing = {which: each for which, each in backlogs.items() if grown[which] > 0 and each.size_bytes}
    payloads = {which: grown[which] / RATE_S * _mean_bytes(each) for which, each in growing.items()}
    on_disk = sum(rate + grown[which] / RATE_S * ROW_BYTES for which, rate in payloads.items())
    found = {
        which: min(
            (
                max(0.0, room / rate)
                for room, rate in ((each.room_bytes, payloads[which]), (each.disk_bytes, on_disk))
                if room is not None
            ),
            default=None,
        )
        for which, each in growing.items()
    }
    return {which: seconds for which, seconds in found.items() if seconds is not None}


def _mean_bytes(backlog: Backlog) -> float:
    return backlog.size_bytes / max(1, backlog.pending + backlog.claimed)


#: The minimum step of the clock to report, and the duration of the report.
TOLD_JUMP_S: Final = 2.0
TOLD_FOR_S: Final = HOUR_S

ProblemState: TypeAlias = (
    TroubleState
    | Literal["full", "set aside", "filling", "switched off", "preset switched off", "rows refused", "clock"]
)

#: Every state except `sending`, the most urgent first.
PROBLEM_STATES: Final[tuple[ProblemState, ...]] = (
    "full",
    "blocked",
    "refusing",
    "failing",
    "rate limited",
    "set aside",
    "filling",
    "switched off",
    "preset switched off",
    "rows refused",
    "clock",
)
#: States of all ad accounts together.
OF_ALL: Final[frozenset[ProblemState]] = frozenset({"preset switched off", "rows refused", "clock"})

_SENTENCES: Final[dict[TroubleState, str]] = {
    "blocked": "Pinterest refuses our calls",
    "refusing": "Pinterest refuses every event",
    "failing": "Calls to Pinterest fail",
    "rate limited": "Pinterest limits our calls",
}
_WAITS: Final = "Events wait. Pinrelay retries one of them, and sends all as soon as Pinterest accepts it."
_REMEDIES: Final[dict[TroubleState, str]] = {
    "blocked": "Events are kept, and sent once this is fixed. Check the conversion token, and that its owner may use "
    "the ad account. `pinrelay verify` names what is wrong.",
    "refusing": f"{_WAITS} Its message says what it rejects. If all events have that, fix the mapping.",
    "failing": f"{_WAITS} Check the connection from this machine (network, proxy, `PINTEREST_API_URL`) and "
    "Pinterest's status page.",
    "rate limited": f"{_WAITS} If this happens often, lower `MAX_CALLS_PER_MINUTE`: other programs may call for the "
    "same ad account.",
}


_NO_ROOM: Final = (
    "Events for this ad account alone get the status 503, so that their senders send them again. Events that other ad "
    "accounts take too are withheld from this one. Find out why its deliveries are not sent, or raise the limit."
)


_LOST: Final = "Matching events are withheld: they are counted and will not be sent later."


#: The number of refused names to show.
_NAMED_ROWS: Final = 5
_TRIED_AGAIN: Final = (
    "The reason is the message of the database. Remove its cause, such as a constraint, a trigger, or a damaged or "
    "missing value. Each row is tried again within ten minutes."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryProblem:
    """A problem of delivery."""

    state: ProblemState
    #: Unix seconds; `None` if unknown.
    since: float | None = None
    #: The HTTP status; `None` without a response or a status.
    status: int | None = None
    #: The message of Pinterest; "" if the response had none.
    words: str = ""
    #: The problem, with the message of Pinterest.
    sentence: str
    #: The response and the beginning of the problem; "" if both are unknown.
    detail: str = ""
    #: The consequence for events, and the remedy.
    remedy: str
    #: The time of the next attempt with one event, in Unix seconds; `None` if there is none.
    next_try_at: float | None = None

    @property
    def text(self) -> str:
        """The problem in one line: the problem, its details and the remedy."""
        return " ".join(part for part in (self.sentence, self.detail, self.remedy) if part)


def delivery_problems(
    trouble: Trouble | None,
    *,
    full: str = "",
    full_in_s: float | None = None,
    switched_off: bool,
    presets_off: Collection[str] = (),
    keeps: bool = True,
    jumps: Iterable[ClockJump] = (),
    now: float,
) -> list[DeliveryProblem]:
    """Return all problems of delivery, the most urgent first; [] if there are none.

    `full` is the reached limit of the backlog, `full_in_s` the time until it is reached (`None`: not shown),
    `presets_off` the disabled presets, `keeps` whether events are stored while the destination, or their preset, is
    disabled.
    """
    found = [DeliveryProblem(state="full", sentence=f"The backlog is full: {full}.", remedy=_NO_ROOM)] if full else []
    found += [_troubled(trouble)] if trouble else []
    if full_in_s is not None and not full:
        found.append(_filling(full_in_s))
    if switched_off:
        found.append(_switched_off(keeps=keeps))
    elif presets_off:
        found.append(_presets_off(sorted(presets_off), keeps=keeps))
    told = [
        jump for jump in jumps if abs(jump.after - jump.before) >= TOLD_JUMP_S and 0 <= now - jump.after < TOLD_FOR_S
    ]
    return [*found, *map(_jumped, told[-1:])]


def _troubled(trouble: Trouble) -> DeliveryProblem:
    answer = "No answer" if trouble.status is None else f"Answer {trouble.status}"
    return DeliveryProblem(
        state=trouble.state,
        since=trouble.since,
        status=trouble.status,
        words=trouble.reason,
        sentence=f"{_SENTENCES[trouble.state]}: {trouble.reason.rstrip('.') or 'it gave no reason'}.",
        detail=f"{answer}, since {time_text(trouble.since)}.",
        remedy=_REMEDIES[trouble.state],
        next_try_at=trouble.next_probe_at,
    )


def problems_of_refused_rows(aside: Mapping[str, SetAside]) -> list[DeliveryProblem]:
    """Return the problems of rows that the store refuses to change, by name; [] if there are none."""
    deliveries = {name: each for name, each in aside.items() if each.ad_account_id}
    others = {name: each for name, each in aside.items() if not each.ad_account_id}
    found = []
    if deliveries:
        sent = sum(each.doing == "settle" for each in deliveries.values())
        kept = "They are kept, and all others continue."
        kept += (
            f" Pinterest has answered for {sent} of them. Pinrelay records these answers, and sends nothing again."
            if sent
            else ""
        )
        found.append(_refused("set aside", count_of(len(deliveries), "delivery", "deliveries"), deliveries, kept))
    if others:
        rows = count_of(sum(each.rows for each in others.values()), "row")
        kept = "Old rows among them are not deleted yet, and counts are kept. All others continue."
        found.append(_refused("rows refused", rows, others, kept))
    return found


def _refused(state: ProblemState, what: str, found: Mapping[str, SetAside], kept: str) -> DeliveryProblem:
    first = min(found.values(), key=lambda each: each.since)
    names = [name.split("/", 1)[1].removeprefix("retain_") for name in found]
    which = ", ".join(names[:_NAMED_ROWS]) + (", ..." if len(names) > _NAMED_ROWS else "")
    return DeliveryProblem(
        state=state,
        since=first.since,
        words=first.why,
        sentence=f"The store refuses to change {what} ({which}): {first.why.rstrip('.')}.",
        detail=f"Since {time_text(first.since)}.",
        remedy=f"{kept} {_TRIED_AGAIN}",
        next_try_at=min(each.again_at for each in found.values()),
    )


def _filling(full_in_s: float) -> DeliveryProblem:
    return DeliveryProblem(
        state="filling",
        sentence=f"The backlog is growing. At the rate of the last hour it is full in {_span(full_in_s)}.",
        remedy="Events are kept until then; afterwards they get the status 503. Find out why so few are sent, or give "
        "the store more room (its disk, `OUTBOX_MAX_BACKLOG_BYTES`).",
    )


def _switched_off(*, keeps: bool) -> DeliveryProblem:
    kept = "Matching events are kept, and sent when you switch it on again."
    return DeliveryProblem(
        state="switched off",
        sentence="Sending is switched off.",
        remedy=f"{kept if keeps else _LOST} Switch it on under Presets.",
    )


def _presets_off(names: Sequence[str], *, keeps: bool) -> DeliveryProblem:
    one = len(names) == 1
    which = f"The preset {names[0]} is" if one else f"The presets {', '.join(names)} are"
    again = f"when {'it is' if one else 'they are'} switched on again"
    switch = f"Switch {'it' if one else 'them'} on under Presets."
    lost = f"{_LOST} Deliveries that wait already are sent {again}."
    return DeliveryProblem(
        state="preset switched off",
        sentence=f"{which} switched off.",
        remedy=f"{f'Matching events are kept, and sent {again}.' if keeps else lost} {switch}",
    )


def _jumped(jump: ClockJump) -> DeliveryProblem:
    by_s = jump.after - jump.before
    where = "forward" if by_s > 0 else "back"
    return DeliveryProblem(
        state="clock",
        since=jump.after,
        sentence=f"The clock of this machine jumped {where} by {_span(abs(by_s))}.",
        detail=f"It then showed {time_text(jump.after)}.",
        remedy="Check its time service (NTP). Waiting deliveries are not given up because of it.",
    )


def time_text(at: float) -> str:
    """Return Unix seconds as text."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s"


def _span(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, unit_s in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.3g} {unit}{'' if round(seconds / unit_s, 2) == 1 else 's'}"
    return f"{seconds:.3g} seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """The status of delivery for an ad account."""

    account: AccountView
    backlog: Backlog
    #: All problems of delivery, the most urgent first.
    problems: Sequence[DeliveryProblem]

    @property
    def state(self) -> str:
        """The most urgent state; `sending` without problems."""
        return self.problems[0].state if self.problems else "sending"

    @property
    def named(self) -> list[DeliveryProblem]:
        """The problems, each with the name of the ad account if the account has a name."""
        if not self.account.name:
            return list(self.problems)
        name = self.account.name
        return [
            each if each.state in OF_ALL else replace(each, sentence=f"{name}: {each.sentence}")
            for each in self.problems
        ]


async def read_accounts(
    outbox: Outbox,
    accounts: Iterable[AccountView],
    settings: Settings,
    *,
    switches: Switches,
    now: float,
) -> list[AccountStatus]:
    """Return the status of each ad account, from the state that all processes share. Raises OutboxUnavailable.

    Problems include a backlog that is full within ALERT_LIMITS (full_hours), and disabled presets with deliveries that
    wait for long.
    """
    troubles, clock = await TROUBLE.read_all(outbox), await CLOCK_JUMPS.read(outbox)
    aside = await SET_ASIDE.read_all(outbox)
    accounts, found = list(accounts), []
    backlogs = await _read_backlogs(outbox, accounts, settings.retry_max_age_s, now=now)
    for account in accounts:
        which = account.ad_account_id
        backlog = backlogs[which]
        known = delivery_problems(
            troubles.get(which),
            full=backlog.full,
            full_in_s=backlog.full_in_s if (backlog.full_in_s or 0) < settings.told_full_s else None,
            switched_off=switches.is_off(which),
            presets_off=switches.presets_off if waits_long(backlog, now) else (),
            keeps=settings.keeps_while_off,
            jumps=clock.jumps if clock else (),
            now=now,
        )
        known += problems_of_refused_rows(
            {name: each for name, each in aside.items() if each.ad_account_id in {"", which}}
        )
        known.sort(key=_how_pressing)
        found.append(AccountStatus(account=account, backlog=backlog, problems=known))
    return found


async def _read_backlogs(
    outbox: Outbox, accounts: Iterable[AccountView], usual_max_age_s: float, *, now: float
) -> dict[str, Backlog]:
    """Return the backlog of each ad account, with the time at which it is full. Raises OutboxUnavailable.

    `usual_max_age_s` is the age limit of deliveries for accounts without a limit of their own.
    """
    found = {}
    for account in accounts:
        backlog = await outbox.backlog(account.ad_account_id, now=now)
        if backlog.oldest_at is not None:
            age_s = usual_max_age_s if account.retry_max_age_s is None else account.retry_max_age_s
            backlog = replace(backlog, safe_until=backlog.oldest_at + age_s)
        found[account.ad_account_id] = backlog
    if not any(waits_long(each, now) for each in found.values()):
        return found
    counters = await outbox.counters(since=now - RATE_S, step_s=0, names=RATE_NAMES)
    times = full_in_s(found, (counter for _, counter in counters))
    return {which: replace(each, full_in_s=times.get(which)) for which, each in found.items()}


def all_delivery_problems(found: Iterable[AccountStatus]) -> list[DeliveryProblem]:
    """Return all problems of all ad accounts, the most urgent first; common problems appear once."""
    every = dict.fromkeys(each for problem in found for each in problem.named)
    return sorted(every, key=_how_pressing)


def _how_pressing(problem: DeliveryProblem) -> int:
    return PROBLEM_STATES.index(problem.state)


def total_backlog(found: Iterable[AccountStatus]) -> Backlog:
    """Return the total of the backlogs of all ad accounts."""
    backlogs = [each.backlog for each in found]
    return Backlog(
        pending=sum(each.pending for each in backlogs),
        claimed=sum(each.claimed for each in backlogs),
        dead=sum(each.dead for each in backlogs),
        size_bytes=sum(each.size_bytes for each in backlogs),
        oldest_at=min((each.oldest_at for each in backlogs if each.oldest_at is not None), default=None),
        full_in_s=min((each.full_in_s for each in backlogs if each.full_in_s is not None), default=None),
        safe_until=min((each.safe_until for each in backlogs if each.safe_until is not None), default=None),
    )


def log_trouble(destination: str, before: Trouble | None, after: Trouble | None) -> None:
    """Log a change of the trouble with Pinterest; `None` is no trouble. `destination` is "" if there is only one."""
    which = {"destination": destination} if destination else {}
    if after is None:
        since = before.since if before else 0
        logger().warning("delivery resumed", **which, after=before.state if before else "", since=since)
        return
    for problem in delivery_problems(after, switched_off=False, now=after.since):
        logger().warning(
            "delivery stopped",
            **which,
            state=problem.state,
            since=problem.since,
            status=problem.status,
            words=problem.words,
            message=problem.sentence,
            remedy=problem.remedy,
        )


def log_jump(jump: ClockJump) -> None:
    """Log a jump of the clock of this machine."""
    for problem in delivery_problems(None, switched_off=False, jumps=[jump], now=jump.after):
        logger().warning("clock jumped", by_s=jump.after - jump.before, to=jump.after, remedy=problem.remedy)
