"""One sentence: is it healthy, and what to do if not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.console.labels import time_span
from app.core.pages import Backlog
from app.core.values.texts import count_of
from app.insights.alerts.overall import LATE_S
from app.sender.status import OF_ALL, DeliveryProblem

#: More than one in so many matched events being invalid is worth a look.
INVALID_ONE_IN = 10
_WHY_LATE = "See Pinterest's last answers below for the reason"
_BAD = frozenset({"full", "blocked", "refusing", "failing", "set aside"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """The facts that the sentence is made of."""

    now: float
    live: bool
    #: Everything that keeps delivery from being well, the most pressing first.
    problems: Sequence[DeliveryProblem]
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


def health_of(facts: HealthFacts) -> Health:
    """Pick the most pressing thing there is to say."""
    for rule in (_turned_away, _of_account, _late, _losing, _of_all, _quiet):
        if found := rule(facts):
            return found
    return _well(facts)


def _turned_away(facts: HealthFacts) -> Health | None:
    """Say that events are turned away, which is worse than that they wait."""
    if not facts.unavailable:
        return None
    return Health(level="bad", sentence="Events are turned away: they cannot be kept.", advice=facts.unavailable)


def _of_account(facts: HealthFacts) -> Health | None:
    """Say what keeps the deliveries of an ad account from being well, in the words that are used everywhere."""
    found = next((each for each in facts.problems if each.state not in OF_ALL), None)
    return _told(found, facts.now) if found else None


def _of_all(facts: HealthFacts) -> Health | None:
    """Say what keeps all deliveries from being well, likewise: it is less pressing."""
    found = next((each for each in facts.problems if each.state in OF_ALL), None)
    return _told(found, facts.now) if found else None


def _told(problem: DeliveryProblem, now: float) -> Health:
    wait_s = 0 if problem.next_try_at is None else problem.next_try_at - now
    again = f"The next try is in {time_span(wait_s)}." if wait_s > 0 else ""
    return Health(
        level="bad" if problem.state in _BAD else "warn",
        sentence=problem.sentence,
        advice=" ".join(part for part in (problem.detail, problem.remedy, again) if part),
    )


def _late(facts: HealthFacts) -> Health | None:
    if facts.waiting_s <= LATE_S:
        return None
    if off := next((each for each in facts.problems if each.state == "preset switched off"), None):
        return Health(
            level="warn",
            sentence=f"{off.sentence.rstrip('.')}; the oldest delivery has waited for {time_span(facts.waiting_s)}.",
            advice=f"{off.remedy} {_WHY_LATE} where others wait too.",
        )
    return Health(
        level="bad",
        sentence=f"Deliveries are late: the oldest has waited for {time_span(facts.waiting_s)}.",
        advice=f"{_WHY_LATE}, and whether a sending process runs at all.",
    )


def _losing(facts: HealthFacts) -> Health | None:
    if facts.backlog.dead:
        return Health(
            level="warn",
            sentence=f"{count_of(facts.backlog.dead, 'delivery', 'deliveries')} could not be delivered "
            "and will not be tried again by themselves.",
            advice="Look at the reasons under Deliveries, mend the cause, then redrive them.",
        )
    if facts.invalid * INVALID_ONE_IN > facts.matched:
        return Health(
            level="warn",
            sentence=f"{count_of(facts.invalid, 'event')} of {count_of(facts.matched, 'matched one')} "
            "could not be sent: Pinterest would refuse them.",
            advice="The reasons are listed below; the event tester shows which field is missing or wrong.",
        )
    return None


def _quiet(facts: HealthFacts) -> Health | None:
    if facts.received or facts.delivered or facts.backlog.oldest_at is not None:
        return None
    return Health(
        level="idle",
        sentence=f"Nothing was received {facts.period_words}.",
        advice="If events should be arriving, check the source: its URL, its secret and its own error list.",
    )


def _well(facts: HealthFacts) -> Health:
    where = "delivered" if facts.live else "delivered to the sandbox"
    waits = "nothing waits" if not (facts.backlog.pending or facts.backlog.claimed) else "the rest is on its way"
    sent = "" if facts.delivered is None else f" and {count_of(facts.delivered, 'delivery', 'deliveries')} {where}"
    return Health(
        level="good",
        sentence=f"All is well: {count_of(facts.received, 'event')} received{sent} {facts.period_words}; {waits}.",
    )
