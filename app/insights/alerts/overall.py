"""Alerts about Pinrelay as a whole: delivery, dead letters, volume, warnings, memory. Pure functions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median

from app.core.events import DEFAULT_SOURCE, Outcome
from app.core.pages import PinterestView
from app.core.refusals import NO_SOURCE, RefusedRequest
from app.core.shared_values import FeedState, TagCounts
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.outbox.pairing import PAGE_DIFFERS
from app.sender.status import OF_ALL, AccountStatus

LATE_S = HOUR_S
#: A drop: the accepted events of the last full hour are below this part of the median of the same hour on other days.
#: There must be some such days, and at least this number of events.
DROP_BELOW = 0.5
LEAST_DAYS, MOST_DAYS, LEAST_EVENTS = 3, 7, 20
#: A growth: warnings per enqueued event of the last full hour exceed this share, and this multiple of the day before.
WARNINGS_SHARE, WARNINGS_TIMES = 0.05, 2

#: Pinterest's figures are read every hour, or later if Pinterest requests a pause of at most a day.
_READ_WITHIN_S = DAY_S + HOUR_S

#: The number of orders sent twice in a day that needs an operator.
SENT_TWICE = 3
#: The number of refused requests of a source and cause in 24 hours that needs an operator. WooCommerce stops after
#: five.
REFUSED = 3
_SENT_TWICE = (
    "{} orders of the last day were sent twice: the page and the shop named different totals. Search for the warning "
    f"`{PAGE_DIFFERS}` to compare them. Someone may be sending false orders with the public key."
)

_FULL = "Memory is full of opted-out ids, so no new facts are remembered. Raise REMEMBER_MAX_PEOPLE."
_FULL_FOR_KEY = (
    "The public key {} adds more to memory than it may, so nothing that it sends is remembered. Check who uses it, or "
    "raise REMEMBER_MAX_PEOPLE. Everybody else stays remembered."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A current problem, reported once while it lasts."""

    #: The identity of the condition, constant while it is active.
    key: str
    #: The problem and its remedy, for people. No personal data.
    text: str
    #: The kind of condition; "": the key, up to its first colon.
    kind: str = ""
    ad_account_id: str = ""
    source: str = ""
    #: When the condition began, Unix seconds; `None`: now.
    since: float | None = None
    #: How many events wait, were lost or are missing; `None` if unknown.
    events: int | None = None
    #: Their value by currency.
    money: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The inputs of the conditions."""

    now: float
    accounts: Sequence[AccountStatus]
    #: Counts by name for each hour, by its start in Unix seconds; empty hours are omitted.
    hours: Mapping[int, Mapping[str, int]]
    #: The number of new dead letters, by ad account and hour.
    rejected: Mapping[tuple[str, int], int] = field(default_factory=dict)
    #: Sources for which memory was full, with the hour; "" represents all trusted sources.
    memory_full: frozenset[tuple[str, int]] = frozenset()
    #: The number of orders in the last day that were sent from the page and, with another total, from the shop.
    sent_twice: int = 0
    #: By ad account and currency, the value of the deliveries that wait.
    waiting_money: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)

    @property
    def hour_at(self) -> int:
        """Return the start of the last full hour."""
        return int(self.now // HOUR_S - 1) * HOUR_S

    def count(self, name: str, hour_at: int) -> int:
        return self.hours.get(hour_at, {}).get(name, 0)


def conditions(facts: Facts) -> list[Alert]:
    """Return an alert for each active condition of Pinrelay as a whole."""
    found = [alert for account in facts.accounts for alert in _of_account(account, facts)]
    found += _memory(facts)
    if facts.sent_twice >= SENT_TWICE:
        found.append(Alert(key="sent twice", text=_SENT_TWICE.format(facts.sent_twice)))
    return list({alert.key: alert for alert in (*found, _drop(facts), _warnings(facts)) if alert}.values())


def _memory(facts: Facts) -> list[Alert]:
    """Return an alert for each public key without room in memory, or one for all."""
    lately = sorted({source for source, at in facts.memory_full if at >= facts.hour_at})
    return [
        Alert(key=f"memory: {source}", text=_FULL_FOR_KEY.format(source)) if source else Alert(key="memory", text=_FULL)
        for source in lately
    ]


def retention_trouble(since: float | None, now: float) -> list[Alert]:
    """Return an alert if old data is not deleted fast enough."""
    if since is None:
        return []
    minutes = max(1, round((now - since) / MINUTE_S))
    text = (
        f"Retention has been behind for {minutes} min: data is kept past its time or bound. "
        "Send fewer events at once, or give the outbox a faster disk."
    )
    return [Alert(key="retention", text=text)]


def refused_requests(refused: Mapping[RefusedRequest, int]) -> list[Alert]:
    """Return an alert for each source and cause of refused requests; a few may come from strangers."""
    return [
        Alert(
            key=f"refused requests: {each.source} {each.status} {each.cause}",
            source=each.source,
            events=requests,
            text=f"{requests} requests of {_source_text(each.source)} were refused with {each.status} in the last 24 "
            f"hours: {each.cause}. {f'Check {each.setting}. ' if each.setting else ''}Senders may not repeat them.",
        )
        for each, requests in refused.items()
        if each.source and requests >= REFUSED
    ]


def _source_text(source: str) -> str:
    return {NO_SOURCE: "an unknown source", DEFAULT_SOURCE: "/webhook"}.get(source, f"the source {source}")


def feed_trouble(state: FeedState | None) -> list[Alert]:
    """Return an alert if the last reading of the product feeds failed."""
    if state is None or not state.why:
        return []
    stays = "The ids of the last good reading stay in use" if state.read_at else "No ids are known"
    return [
        Alert(key="feed", text=f"The product feed was not taken up: {state.why}. {stays}; it is read again hourly.")
    ]


def tag_doubles(doubles: Mapping[str, TagCounts]) -> list[Alert]:
    """Return an alert for each event name with double counts, because Pinterest's tag sends it under other ids."""
    return [
        Alert(
            key=f"tag: {event}",
            text=f"Pinterest counts {counts.two_ids} of {counts.calls} {event} events of the page's tag twice since "
            "yesterday: Pinrelay sends them under other ids. `pinrelay tag-check` says what to change.",
        )
        for event, counts in sorted(doubles.items())
    ]


def unread_reports(views: Mapping[str, PinterestView], now: float) -> list[Alert]:
    """Return the alerts about Pinterest's reports that need an operator or are unread for a day, once for each reason.

    The view of an ad account that is no longer read causes no alert.
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for account, view in views.items():
        for report, each in view.unread.items():
            lasts = each.needs_person or now - each.since >= DAY_S
            if lasts and now - (view.tried_at or 0) <= _READ_WITHIN_S:
                places[each.why].append(f"{account} {report}")
    return [
        Alert(
            key=f"reports: {where[0]}",
            text=f"Some of Pinterest's own figures cannot be read: {why}. Events are still sent.",
        )
        for why, where in places.items()
    ]


def _of_account(account: AccountStatus, facts: Facts) -> list[Alert]:
    """Return the active conditions of an ad account; they contain its name."""
    name, which = account.account.name, account.account.ad_account_id
    found = [Alert(key=each.state, text=each.text, since=each.since) for each in account.problems]
    found += filter(None, (_late(account, facts), _dead(account, facts)))
    waiting, money = account.backlog.pending + account.backlog.claimed, facts.waiting_money.get(which, {})
    return [
        each
        if each.key in OF_ALL
        else replace(
            each,
            key=f"{name}: {each.key}" if name else each.key,
            text=f"{name}: {each.text}" if name else each.text,
            kind=each.key,
            ad_account_id=which,
            events=waiting if each.events is None else each.events,
            money=money if each.events is None else each.money,
        )
        for each in found
    ]


def _late(account: AccountStatus, facts: Facts) -> Alert | None:
    oldest_at = account.backlog.oldest_at
    if oldest_at is None or facts.now - oldest_at <= LATE_S:
        return None
    hours = (facts.now - oldest_at) / HOUR_S
    off = next((f" {each.sentence}" for each in account.problems if each.state == "preset switched off"), "")
    text = f"Deliveries are late: the oldest has waited {hours:.1f} hours.{off}"
    return Alert(key="backlog", text=text, since=oldest_at)


def _dead(account: AccountStatus, facts: Facts) -> Alert | None:
    """Return an alert if there are new dead letters and unresolved ones: a redrive of all clears the alert."""
    new = sum(facts.rejected.get((account.account.ad_account_id, facts.hour_at + n * HOUR_S), 0) for n in (0, 1))
    if not new or not account.backlog.dead:
        return None
    text = f"{new} new dead letters in the last hours. See `pinrelay deliveries causes`."
    return Alert(key="dead", text=text, events=new)


def _drop(facts: Facts) -> Alert | None:
    first_at = min(facts.hours, default=facts.hour_at)
    earlier = [facts.hour_at - day * DAY_S for day in range(1, MOST_DAYS + 1)]
    counts = [facts.count(Outcome.ACCEPTED, hour_at) for hour_at in earlier if hour_at >= first_at]
    if len(counts) < LEAST_DAYS or (usual := median(counts)) < LEAST_EVENTS:
        return None
    if (count := facts.count(Outcome.ACCEPTED, facts.hour_at)) >= DROP_BELOW * usual:
        return None
    return Alert(
        key="volume", text=f"Too few events: {count} in the last full hour, usually {usual:g}. Check the senders."
    )


def _warnings(facts: Facts) -> Alert | None:
    count, before = facts.count("warning", facts.hour_at), [facts.hour_at - n * HOUR_S for n in range(1, 25)]
    enqueued_before = sum(facts.count(Outcome.ENQUEUED, hour_at) for hour_at in before)
    if count < LEAST_EVENTS or not enqueued_before:
        return None
    share = count / max(1, facts.count(Outcome.ENQUEUED, facts.hour_at))
    usual = sum(facts.count("warning", hour_at) for hour_at in before) / enqueued_before
    if share <= max(WARNINGS_SHARE, WARNINGS_TIMES * usual):
        return None
    text = f"More warnings: {share:.2f} per event in the last full hour, {usual:.2f} the day before. See the console."
    return Alert(key="warnings", text=text)
