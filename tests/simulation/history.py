"""What happened in a run, and what must be true of it whatever happened."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from app.core.deliveries import Delivery, State

#: Two clocks of one process are read one after the other.
AGE_TOLERANCE_S = 1.0
#: A call begins at most so long after it was asked whether its events may be sent.
UNDER_WAY_S = 8.0


@dataclass(slots=True)
class Life:
    """One process, from its start to its end."""

    number: int
    began_at: float
    #: When it was killed, or frozen for longer than anybody waits for a sign of it; the first time.
    broke_at: float | None = None


@dataclass(slots=True)
class Call:
    """One call that was made to Pinterest."""

    life: Life
    began_at: float
    events: tuple[str, ...]
    #: What Pinterest took of it.
    taken: tuple[str, ...] = ()
    #: The caller got the answer that says what became of each event.
    is_exact: bool = False


@dataclass(slots=True)
class Outage:
    """A time in which Pinterest took nothing."""

    began_at: float
    ended_at: float


@dataclass(slots=True, kw_only=True)
class History:
    """All that the checker needs to know."""

    is_offline: bool
    max_age_s: float
    max_pause_s: float
    #: What Pinterest would refuse alone.
    bad: frozenset[str]
    #: Events that make calls fail, and how long an event fails at least before the event becomes a dead letter, in
    #: seconds.
    breaking: frozenset[str] = frozenset()
    breaks_for_s: float = 0
    #: When it was posted first, by event.
    posted: dict[str, float] = field(default_factory=dict)
    #: When it was answered 200 first, whether the sender heard it or not.
    acknowledged: dict[str, float] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    #: As the outbox has them at the end; several of one event where it was kept twice.
    deliveries: list[Delivery] = field(default_factory=list)
    #: When a delivery was dead first, by time that only goes on.
    died_at: dict[str, float] = field(default_factory=dict)
    #: The clock was set while no process lived that knew it from before, or one began before those had told of it: then
    #: ages are what the clock says.
    has_unseen_jump: bool = False
    #: When the store was free again that had been locked; before, nobody could note what Pinterest said.
    free_at: float = 0.0
    failures: list[str] = field(default_factory=list)
    #: Senders that never got their 200.
    unanswered: int = 0

    def opt_outs(self, event: str, before: float) -> list[str]:
        """Return the events in which the browser of another one had opted out by then, and not yes since."""
        browser = event.partition("@")[2]
        its = {name: at for name, at in self.posted.items() if browser and name.endswith(f"@{browser}")}
        yeses = [at for name, at in its.items() if name.startswith("yes-") and at < before]
        opt_outs = [(name, at) for name, at in its.items() if name.startswith("no-") and at < before]
        return [name for name, at in opt_outs if not any(yes > at for yes in yeses)]


def faults(history: History) -> list[str]:
    """Return what must not be, in words; [] where all is as it must be."""
    return [
        *history.failures,
        *_lost(history),
        *_sent_twice(history),
        *_dead_without_cause(history),
        *_pressed(history),
        *_sent_after_a_no(history),
    ]


def _lost(history: History) -> Iterator[str]:
    """Acknowledged implies delivered, which implies taken, or dead with a reason."""
    if history.unanswered:
        yield f"{history.unanswered} senders were never answered"
    stored = defaultdict(list)
    for delivery in history.deliveries:
        stored[delivery.event_id].append(delivery)
    taken = {event for call in history.calls for event in call.taken}
    for event in history.acknowledged:
        found = stored[event]
        alive = [delivery for delivery in found if delivery.state not in {State.DEAD, State.DISMISSED}]
        moments = (*history.posted.values(), inf) if not found else ()
        was_withheld = any(history.opt_outs(event, at) for at in moments)
        if (not found and not was_withheld) or len(alive) > 1:  # what is dead may be posted again
            yield f"{event} was acknowledged and is kept {len(found)} times"
        for delivery in found:
            if event not in history.breaking or delivery.state not in {State.PENDING, State.CLAIMED}:
                yield from _unaccounted(delivery, found, taken=event in taken)


def _unaccounted(delivery: Delivery, found: Sequence[Delivery], *, taken: bool) -> Iterator[str]:
    """Tell what a delivery of an acknowledged event ends in that it must not; `found` are all of the event."""
    event = delivery.event_id
    if delivery.state is State.DISMISSED:  # by itself, since what was posted again arrived
        if not any(each.state is State.DELIVERED for each in found):
            yield f"{event} was dismissed, and nothing else of it arrived"
    elif delivery.state not in {State.DELIVERED, State.DEAD}:
        yield f"{event} still waits ({delivery.state}: {delivery.reason or 'no reason'})"
    elif delivery.state is State.DELIVERED and not taken:
        yield f"{event} is said to be delivered, and Pinterest never took it"
    elif delivery.state is State.DEAD and not delivery.reason:
        yield f"{event} is dead without a reason"


def _sent_twice(history: History) -> Iterator[str]:
    """Nothing is sent again that was taken, but after an answer that did not come, or a sender that broke."""
    calls = defaultdict(list)
    for call in history.calls:
        for event in call.events:
            calls[event].append(call)
    stored = Counter(delivery.event_id for delivery in history.deliveries)
    for event, made in calls.items():
        if stored[event] > 1:  # it was dead, and posted again
            continue
        for place, again in enumerate(made[1:], start=1):
            for before in made[:place]:
                if event not in before.taken:
                    continue
                broke_at = before.life.broke_at
                broke = broke_at is not None and broke_at <= again.began_at
                if history.is_offline:
                    yield f"{event} is offline, was taken at {before.began_at:.1f} s and sent again"
                elif before.is_exact and not broke:
                    yield (
                        f"{event} was taken at {before.began_at:.1f} s from process {before.life.number}, which was "
                        f"told, and sent again at {again.began_at:.1f} s by process {again.life.number}"
                    )


def _dead_without_cause(history: History) -> Iterator[str]:
    """Dead only by a verdict or by age; offline events also where they may have arrived."""
    for delivery in history.deliveries:
        event, reason = delivery.event_id, delivery.reason
        if event in history.bad and delivery.state is State.DELIVERED:
            yield f"{event} was refused by Pinterest and is said to be delivered"
        if event in history.breaking and not history.is_offline and delivery.state is State.DEAD:
            failed_for_s = history.died_at.get(event, inf) - history.posted[event]
            if failed_for_s < history.breaks_for_s:
                yield f"{event} was given up after {failed_for_s:.0f} s of {history.breaks_for_s:.0f}"
        if delivery.state is not State.DEAD or event in history.bad:
            continue
        if reason.startswith("given up after") and "hours" in reason:
            age_s = history.died_at.get(event, 0) - history.posted.get(event, 0)
            if age_s < history.max_age_s - AGE_TOLERANCE_S and not history.has_unseen_jump:
                yield f"{event} was given up for its age after {age_s:.0f} s of {history.max_age_s:.0f}"
        elif not (history.is_offline and reason.startswith("may have arrived")):
            yield f"{event} is good and dead: {reason}"


def _sent_after_a_no(history: History) -> Iterator[str]:
    """What a browser's no was acknowledged for is not claimed any more: a call may have been under way."""
    for call in history.calls:
        for event in call.events:
            for no in history.opt_outs(event, call.began_at):
                at = history.acknowledged.get(no, call.began_at)
                if at + UNDER_WAY_S < call.began_at and history.posted[no] > 0:
                    yield f"{event} was sent at {call.began_at:.1f} s, {no} was acknowledged at {at:.1f} s"


def _pressed(history: History) -> Iterator[str]:
    """While Pinterest takes nothing, probes are sent and not the backlog."""
    for outage in history.outages:
        tried = [call for call in history.calls if outage.began_at <= call.began_at < outage.ended_at]
        if not tried:
            continue
        known_at = max(tried[0].began_at, history.free_at) + 2 * history.max_pause_s
        if known_at >= outage.ended_at:  # it was over before it could be known
            continue
        sent = [call for call in tried if call.began_at >= known_at]
        allowed = 12 + int(3 * (outage.ended_at - known_at) / history.max_pause_s)
        if (count := sum(len(call.events) for call in sent)) > allowed:
            yield f"{count} events were sent in {outage.ended_at - known_at:.0f} s of an outage, {allowed} may be"
