"""Compare the calls of Pinterest's tag with Pinrelay's events: calls that count once, and calls that count twice.

Pages report the calls of their tag. The calls are stored for an hour, because a shop's order may arrive that late, and
then compared with the sent events. Only counts by day and event name remain.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from app.catalog import Catalog
from app.core.deliveries import Delivery, State
from app.core.events import Outcome
from app.core.pages import Query
from app.core.shared_values import TAG_CALLS, TAG_FIGURES, SharedValues, TagCall, TagCalls, TagCounts, TagFigures
from app.core.trust import SourceTraits
from app.core.values.event_names import CHECKOUT
from app.core.values.times import DAY_S, HOUR_S
from app.outbox import Outbox
from app.sender.shutdown import WritingTask

#: The period of calls that are stored together, and the number of places, which are reused in turn.
_SPAN_S: Final = 300
_PLACES: Final = 24
#: The age at which calls are compared.
_WAIT_S: Final = HOUR_S
#: Maximum number of stored calls of a period. Further calls are only counted.
MAX_CALLS: Final = 500
#: The retention of counts, in days.
DAYS_KEPT: Final = 30
#: Maximum number of examined deliveries of an id.
_LOOKED_AT: Final = 5
#: The minimum number of calls for a statement about the tag, and the share of double counts that causes an alert.
LEAST: Final = 20
DOUBLE: Final = 0.1
_NOT_SENT: Final = frozenset({State.DEAD, State.DISMISSED})


class TagReports(WritingTask):
    """Collects calls that pages report, in bounded memory, and stores them: a background task."""

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float], on_error: Callable[[Exception], None]) -> None:
        super().__init__(on_error)
        self._outbox = outbox
        self._clock = clock
        self._calls: list[TagCall] = []
        self._more = 0

    def take(self, calls: Sequence[TagCall]) -> None:
        """Add the calls of a page."""
        room = MAX_CALLS - len(self._calls)
        self._calls += calls[:room]
        self._more += len(calls[room:])

    async def look(self) -> None:
        """Compare old calls, and store the calls that were reported since the last check."""
        now = self._clock()
        await compare_old(self._outbox, now)
        if not self._calls:
            return
        at = int(now // _SPAN_S) * _SPAN_S
        place = TAG_CALLS.of(str(at // _SPAN_S % _PLACES))
        stored, number, more = await place.read_revised(self._outbox), len(self._calls), self._more
        kept = stored.value if stored.value and stored.value.at == at else TagCalls(at=at)
        calls = (*kept.calls, *self._calls)
        left_out = kept.more + more + len(calls[MAX_CALLS:])
        together = TagCalls(at=at, calls=calls[:MAX_CALLS], more=left_out)
        if await place.write(self._outbox, together, revision=stored.revision):  # another process may have written
            self._calls, self._more = self._calls[number:], self._more - more


async def compare_old(outbox: Outbox, now: float) -> None:
    """Compare the calls that are old enough with the sent events, each once among all processes."""
    kept = await TAG_CALLS.read_all(outbox)
    for name, calls in sorted(kept.items(), key=lambda each: each[1].at):
        if calls.at + _SPAN_S + _WAIT_S > now:
            continue
        stored = await TAG_FIGURES.read_revised(outbox)
        figures = stored.value or TagFigures()
        if calls.at > figures.until:
            figures = _without_old(await _with(outbox, figures, calls), now)
            if not await TAG_FIGURES.write(outbox, figures, revision=stored.revision):
                return  # another process does it
        await TAG_CALLS.of(name).write(outbox, None)


def _without_old(figures: TagFigures, now: float) -> TagFigures:
    first = now // DAY_S - DAYS_KEPT
    days = {day: counts for day, counts in figures.days.items() if int(day) > first}
    return replace(figures, days=days, more={day: count for day, count in figures.more.items() if int(day) > first})


async def _with(outbox: Outbox, figures: TagFigures, kept: TagCalls) -> TagFigures:
    """Return the figures with these calls added."""
    day = str(kept.at // DAY_S)
    of_day = dict(figures.days.get(day, {}))
    for call in kept.calls:
        of_day[call.event] = added(of_day.get(call.event, TagCounts()), await _judged(outbox, call))
    more = {**figures.more, day: figures.more.get(day, 0) + kept.more} if kept.more else figures.more
    return TagFigures(until=kept.at, days={**figures.days, day: of_day}, more=more)


def added(some: TagCounts, more: TagCounts) -> TagCounts:
    """Return the sums."""
    worth = dict(some.worth)
    for currency, amount in more.worth.items():
        worth[currency] = str(Decimal(worth.get(currency, "0")) + Decimal(amount))
    return TagCounts(
        calls=some.calls + more.calls,
        one_id=some.one_id + more.one_id,
        two_ids=some.two_ids + more.two_ids,
        without_id=some.without_id + more.without_id,
        by_message=some.by_message + more.by_message,
        two_by_message=some.two_by_message + more.two_by_message,
        worth=worth,
    )


async def _judged(outbox: Outbox, call: TagCall) -> TagCounts:
    """Return the counts of a single call of the tag."""
    counts = TagCounts(calls=1, without_id=int(call.event_id is None))
    given = call.event_id
    if given and (ours := await _sent(outbox, call, "event_id", given)):
        return replace(counts, one_id=1, by_message=int(ours.message_id == given))
    if given and (ours := await _sent(outbox, call, "message_id", given)):
        return replace(counts, two_ids=1, by_message=1, two_by_message=1, worth=_worth(ours))
    others = [("event_id", each) for each in call.beside]
    if call.event == CHECKOUT and call.order_id:
        others += [("order_id", each) for each in dict.fromkeys((call.order_id, call.order_id.lstrip("# ")))]
    for kind, text in others:
        if ours := await _sent(outbox, call, kind, text):
            return replace(counts, two_ids=1, worth=_worth(ours))
    return counts


async def _sent(outbox: Outbox, call: TagCall, kind: str, text: str) -> Delivery | None:
    """Return the delivery of the event with an id, sent or still to be sent, or `None`."""
    query = Query(event_name=call.event, **{kind: text})  # type: ignore[arg-type] # all three kinds are texts
    page = await outbox.search(query, limit=_LOOKED_AT)
    return next((each for each in page.deliveries if each.state not in _NOT_SENT), None)


def _worth(ours: Delivery) -> dict[str, str]:
    return {ours.currency or "": ours.amount} if ours.event_name == CHECKOUT and ours.amount else {}


# ---------------------------------------------------------------------------------------------------------------------
# Results for people.

NO_REPORTS: Final = (
    "No page reported its tag in these days. Set TAG_CHECK=true, and call pinrelay.watchTag in the page as "
    "docs/browser-helper.md shows."
)
MESSAGE_IDS: Final = "The page gives the tag the id of the message: `TAG_EVENT_ID=message_id` is right."


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLine:
    """An event name: events sent by Pinrelay, calls of the tag, and their overlap."""

    event: str
    #: Deliveries stored in these days; `None` if no preset has this event name as a constant.
    sent: int | None
    counts: TagCounts
    #: Those of `sent` that pages sent by a key, such as the custom pixel of a Shopify shop.
    sent_by_pixel: int = 0

    @property
    def estimated_twice(self) -> int:
        """Return an estimate of the pixel's events that the tag also reports, under an id that Pinrelay does not know.

        No id identifies these events. But the tag and the pixel report the same pages, so events that both report
        without a common id count twice.
        """
        return max(0, min(self.tag_alone, self.sent_by_pixel - self.counts.one_id - self.counts.two_ids))

    @property
    def tag_alone(self) -> int:
        """Return the number of tag calls that match no sent event."""
        return self.counts.calls - self.counts.one_id - self.counts.two_ids

    @property
    def sent_alone(self) -> int | None:
        """Return the number of sent events without a reported call of the tag."""
        return None if self.sent is None else max(0, self.sent - self.counts.one_id - self.counts.two_ids)

    @property
    def worth(self) -> str:
        """Return the value of double counts as a text for people."""
        return ", ".join(f"{amount} {currency}".strip() for currency, amount in sorted(self.counts.worth.items()))

    @property
    def advice(self) -> str:
        """Return the advice; "" without double counts."""
        counts = self.counts
        if self.estimated_twice:
            return (
                f"A pixel of the shop sends {self.event} to Pinrelay, and Pinterest's tag or app sends {self.event} "
                f"under other ids: about {self.estimated_twice:,} count twice. Switch off one of the two."
            )
        if not counts.two_ids:
            return ""
        if counts.without_id >= counts.two_ids and self.event == "page_visit":
            return "Remove pintrk('page') from the page, or switch off the preset of page visits."
        if 2 * counts.two_by_message >= counts.two_ids:
            return "The tag gets the message id, but we send another event id: give both the same one."
        return f"Give the tag the event id that Pinrelay sends, or remove its {self.event} call."

    def as_json(self) -> dict[str, Any]:
        """Return the line for programs."""
        counts = self.counts
        return {
            "event": self.event,
            "sent": self.sent,
            "sent_alone": self.sent_alone,
            "sent_by_pixel": self.sent_by_pixel,
            "estimated_twice": self.estimated_twice,
            "tag": counts.calls,
            "tag_alone": self.tag_alone,
            "one_id": counts.one_id,
            "two_ids": counts.two_ids,
            "worth_twice": dict(counts.worth),
            "without_id": counts.without_id,
            "by_message_id": counts.by_message,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TagReport:
    """The comparison of the tag with Pinrelay, for some days."""

    lines: tuple[TagLine, ...]
    #: Reported calls that were not examined.
    more: int

    @property
    def is_fed_message_ids(self) -> bool | None:
        """Return whether the page gives the tag our message ids; `None` if no id of the tag is known."""
        matched = sum(line.counts.one_id for line in self.lines)
        by_message = sum(line.counts.by_message for line in self.lines)
        return 2 * by_message >= max(matched, by_message) if matched or by_message else None

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        lines = [line.as_json() for line in self.lines]
        return {"events": lines, "not_looked_at": self.more, "tag_gets_message_ids": self.is_fed_message_ids}


async def read_report(
    outbox: Outbox, catalog: Catalog, traits_of: Callable[[str], SourceTraits], *, now: float, days: int
) -> TagReport:
    """Return the comparison of the tag with Pinrelay, including the calls of the last hour so far.

    `traits_of` returns the traits of a source, by its name.
    """
    figures = await TAG_FIGURES.read(outbox) or TagFigures()
    kept = (await TAG_CALLS.read_all(outbox)).values()
    for calls in sorted(kept, key=lambda each: each.at):
        if calls.at > figures.until:
            figures = await _with(outbox, figures, calls)
    first = int(now // DAY_S) - days + 1
    sent, sent_by_pixel = await _sent_by_event(outbox, catalog, traits_of, since=first * DAY_S)
    lines = [
        TagLine(event=name, sent=sent.get(name), counts=counts, sent_by_pixel=sent_by_pixel[name])
        for name, counts in _sums(figures, first).items()
    ]
    more = sum(count for day, count in figures.more.items() if int(day) >= first)
    return TagReport(lines=tuple(sorted(lines, key=lambda line: (-line.counts.calls, line.event))), more=more)


def _sums(figures: TagFigures, first: int) -> dict[str, TagCounts]:
    """Return the counts by event name from a day on."""
    sums: defaultdict[str, TagCounts] = defaultdict(TagCounts)
    for day, counts in figures.days.items():
        for event, each in counts.items() if int(day) >= first else ():
            sums[event] = added(sums[event], each)
    return sums


async def _sent_by_event(
    outbox: Outbox, catalog: Catalog, traits_of: Callable[[str], SourceTraits], *, since: float
) -> tuple[Counter[str], Counter[str]]:
    """Return the number of stored deliveries by event name, and of those that pages sent by a key.

    Only presets whose event name is a constant count.
    """
    names = {preset.name: preset.mapping.literal("event_name") for preset in catalog.presets}
    sent: Counter[str] = Counter()
    sent_by_pixel: Counter[str] = Counter()
    for _, counter in await outbox.counters(since=since, step_s=0):
        name = names.get(counter.preset)
        if counter.name == Outcome.ENQUEUED and isinstance(name, str):
            sent[name] += counter.count
            sent_by_pixel[name] += counter.count if traits_of(counter.source).has_page_key else 0
    return sent, sent_by_pixel


async def doubles_of(shared: SharedValues, now: float) -> dict[str, TagCounts]:
    """Return the event names with many double counts since yesterday."""
    figures = await TAG_FIGURES.read(shared) or TagFigures()
    return {
        event: counts
        for event, counts in _sums(figures, int(now // DAY_S) - 1).items()
        if counts.calls >= LEAST and counts.two_ids >= DOUBLE * counts.calls
    }
