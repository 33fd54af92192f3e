"""How far back one looks, how finely, and what it is compared with. Pure; days are those of UTC."""

from dataclasses import dataclass
from typing import Final

from app.core.values.times import DAY_S, HOUR_S
from app.outbox import MINUTES_KEPT_S

#: Each comparison's own shift; None: that of the period's length.
_SHIFTS: Final = {"before": None, "day": DAY_S, "week": 7 * DAY_S}
#: What one may compare with, as the head of each page offers it.
COMPARISONS: Final = {"before": "the period before", "day": "the day before", "week": "the week before"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A span that ends now, or one whole day."""

    name: str
    label: str
    #: Behind a verb: `Nothing was received in the last hour`.
    words: str
    length_s: int
    #: It is counted, and drawn, in steps of so much.
    step_s: int
    #: Of a whole day: how many days before today; None where the period ends now.
    days_back: int | None = None

    def starts(self, now: float) -> tuple[int, ...]:
        """Return the starts (Unix seconds) of all steps; those of a day that is not over may lie ahead."""
        if self.days_back is None:
            first = int(now) // self.step_s * self.step_s - self.length_s + self.step_s
        else:
            first = (int(now) // DAY_S - self.days_back) * DAY_S
        return tuple(range(first, first + self.length_s, self.step_s))

    def until(self, now: float) -> int | None:
        """Return when it ended, Unix seconds; None where it goes on."""
        end = self.starts(now)[0] + self.length_s
        return end if end <= now else None

    def complete_until(self, now: float) -> int:
        """Return when the last step ended that is over: what can be compared."""
        return min(self.starts(now)[0] + self.length_s, int(now) // self.step_s * self.step_s)

    def shift_s(self, against: str) -> int | None:
        """Return by how much a comparison of COMPARISONS lies back; None where it has nothing to say of this period.

        A period is not compared with a part of itself, nor by the minute with what is counted by the hour.
        """
        shift = _SHIFTS[against] or self.length_s
        is_by_minute = self.step_s < HOUR_S and shift + self.length_s > MINUTES_KEPT_S
        return None if shift < self.length_s or is_by_minute else shift

    def named_before(self, shift_s: int) -> str:
        """Return in words what a period is compared with that lies so many seconds earlier."""
        if self.name == "today" and shift_s == DAY_S:
            return "yesterday"
        return {DAY_S: "the day before", 7 * DAY_S: "the week before"}.get(shift_s, f"the {self.label} before")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDays:
    """Whole days of UTC, counted from 1970; the last is one of them."""

    first: int
    last: int
    #: Behind a verb, as those of a period.
    words: str

    @property
    def length(self) -> int:
        """The number of days."""
        return self.last - self.first + 1


def days_of(period: Period | None, *, usual: int, now: float) -> WholeDays:
    """Return the days of a period; of None the `usual` many, today the last.

    A period that begins or ends within a day has all of it.
    """
    today = int(now // DAY_S)
    if period is None:
        return WholeDays(first=today - usual + 1, last=today, words=f"in the last {usual} days")
    first = period.starts(now)[0] // DAY_S
    last = today if period.until(now) is None else first
    words = period.words if first == last else f"in the last {last - first + 1} days"
    return WholeDays(first=first, last=last, words="today" if first == today else words)


PERIODS: Final = (
    Period(name="hour", label="hour", words="in the last hour", length_s=HOUR_S, step_s=300),
    Period(name="today", label="today", words="today", length_s=DAY_S, step_s=HOUR_S, days_back=0),
    Period(name="yesterday", label="yesterday", words="yesterday", length_s=DAY_S, step_s=HOUR_S, days_back=1),
    Period(name="day", label="24 hours", words="in the last 24 hours", length_s=DAY_S, step_s=HOUR_S),
    Period(name="week", label="7 days", words="in the last 7 days", length_s=7 * DAY_S, step_s=6 * HOUR_S),
    Period(name="month", label="30 days", words="in the last 30 days", length_s=30 * DAY_S, step_s=DAY_S),
)
