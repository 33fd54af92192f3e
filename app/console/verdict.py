"""One sentence: is it healthy, and what to do if not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.console.labels import time_span
from app.core.pages import Backlog
from app.core.values.texts import count_of
from app.insights.alerts.overall import LATE_S
from app.sender.status import OF_ALL, Standing

#: More than one in so many matched events being invalid is worth a look.
INVALID_ONE_IN = 10
_WHY_LATE = "See Pinterest's last answers below for the reason"
_BAD = frozenset({"full", "blocked", "refusing", "failing", "set aside"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The facts that the sentence is made of."""

    now: float
    live: bool
    #: Everything that keeps delivery from being well, the most pressing first.
    standings: Sequence[Standing]
    backlog: Backlog
    #: Of the period that is shown.
    received: int
    #: None where it is not known: of one source.
    delivered: int | None
    matched: int
    invalid: int
    #: As `in the last hour`.
    period_words: str
    #: Why no event can be kept, and what helps; "" where they can.
    unavailable: str = ""

    @property
    def waiting_s(self) -> float:
        """Since when the oldest delivery waits; 0 where none does."""
        return 0 if self.backlog.oldest_at is None else self.now - self.backlog.oldest_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The verdict on health: one sentence, and how pressing it is."""

    level: Literal["good", "idle", "warn", "bad"]
    sentence: str
    #: What it means or what to do; "" where nothing follows.
    advice: str = ""


def health_of(signs: Signs) -> Health:
    """Pick the most pressing thing there is to say."""
    for rule in (_turned_away, _of_account, _late, _losing, _of_all, _quiet):
        if found := rule(signs):
            return found
    return _well(signs)


def _turned_away(signs: Signs) -> Health | None:
    """Say that events are turned away, which is worse than that they wait."""
    if not signs.unavailable:
        return None
    return Health(level="bad", sentence="Events are turned away: they cannot be kept.", advice=signs.unavailable)


def _of_account(signs: Signs) -> Health | None:
    """Say what keeps the deliveries of an ad account from being well, in the words that are used everywhere."""
    found = next((each for each in signs.standings if each.state not in OF_ALL), None)
    return _told(found, signs.now) if found else None


def _of_all(signs: Signs) -> Health | None:
    """Say what keeps all deliveries from being well, likewise: it is less pressing."""
    found = next((each for each in signs.standings if each.state in OF_ALL), None)
    return _told(found, signs.now) if found else None


def _told(standing: Standing, now: float) -> Health:
    wait_s = 0 if standing.next_try_at is None else standing.next_try_at - now
    again = f"The next try is in {time_span(wait_s)}." if wait_s > 0 else ""
    return Health(
        level="bad" if standing.state in _BAD else "warn",
        sentence=standing.sentence,
        advice=" ".join(part for part in (standing.detail, standing.remedy, again) if part),
    )


def _late(signs: Signs) -> Health | None:
    if signs.waiting_s <= LATE_S:
        return None
    if off := next((each for each in signs.standings if each.state == "preset switched off"), None):
        return Health(
            level="warn",
            sentence=f"{off.sentence.rstrip('.')}; the oldest delivery has waited for {time_span(signs.waiting_s)}.",
            advice=f"{off.remedy} {_WHY_LATE} where others wait too.",
        )
    return Health(
        level="bad",
        sentence=f"Deliveries are late: the oldest has waited for {time_span(signs.waiting_s)}.",
        advice=f"{_WHY_LATE}, and whether a sending process runs at all.",
    )


def _losing(signs: Signs) -> Health | None:
    if signs.backlog.dead:
        return Health(
            level="warn",
            sentence=f"{count_of(signs.backlog.dead, 'delivery', 'deliveries')} could not be delivered "
            "and will not be tried again by themselves.",
            advice="Look at the reasons under Deliveries, mend the cause, then redrive them.",
        )
    if signs.invalid * INVALID_ONE_IN > signs.matched:
        return Health(
            level="warn",
            sentence=f"{count_of(signs.invalid, 'event')} of {count_of(signs.matched, 'matched one')} "
            "could not be sent: Pinterest would refuse them.",
            advice="The reasons are listed below; the event tester shows which field is missing or wrong.",
        )
    return None


def _quiet(signs: Signs) -> Health | None:
    if signs.received or signs.delivered or signs.backlog.oldest_at is not None:
        return None
    return Health(
        level="idle",
        sentence=f"Nothing was received {signs.period_words}.",
        advice="If events should be arriving, check the source: its URL, its secret and its own error list.",
    )


def _well(signs: Signs) -> Health:
    where = "delivered" if signs.live else "delivered to the sandbox"
    waits = "nothing waits" if not (signs.backlog.pending or signs.backlog.claimed) else "the rest is on its way"
    sent = "" if signs.delivered is None else f" and {count_of(signs.delivered, 'delivery', 'deliveries')} {where}"
    return Health(
        level="good",
        sentence=f"All is well: {count_of(signs.received, 'event')} received{sent} {signs.period_words}; {waits}.",
    )
