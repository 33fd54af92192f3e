"""The filter of all pages: ad account, source, period and comparison, stored in the address."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from app.console.services import ConsoleServices
from app.core.pages import AccountView
from app.core.values.times import DAY_S, HOUR_S
from app.errors import FilterError
from app.outbox.counts import MINUTES_KEPT_S

#: The time shift of each comparison; `None`: the length of the period.
_SHIFTS: Final = {"before": None, "day": DAY_S, "week": 7 * DAY_S}
#: The comparisons that the head of each page offers.
COMPARISONS: Final = {"before": "the period before", "day": "the day before", "week": "the week before"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period that ends now, or a whole day."""

    name: str
    label: str
    #: Words after a verb: `Nothing was received in the last hour`.
    words: str
    length_s: int
    #: The length of the steps in counts and charts.
    step_s: int
    #: For a whole day, the number of days before today; `None` if the period ends now.
    days_back: int | None = None

    def starts(self, now: float) -> tuple[int, ...]:
        """Return the starts (Unix seconds) of all steps; those of the current day may be in the future."""
        if self.days_back is None:
            first = int(now) // self.step_s * self.step_s - self.length_s + self.step_s
        else:
            first = (int(now) // DAY_S - self.days_back) * DAY_S
        return tuple(range(first, first + self.length_s, self.step_s))

    def until(self, now: float) -> int | None:
        """Return the end of the period, Unix seconds; `None` if it continues."""
        end = self.starts(now)[0] + self.length_s
        return end if end <= now else None

    def complete_until(self, now: float) -> int:
        """Return the end of the last complete step, up to which periods can be compared."""
        return min(self.starts(now)[0] + self.length_s, int(now) // self.step_s * self.step_s)

    def shift_s(self, against: str) -> int | None:
        """Return the time shift of a comparison; `None` if it is impossible for this period.

        A period is not compared with a part of itself, nor minutes with hourly counts.
        """
        shift = _SHIFTS[against] or self.length_s
        is_by_minute = self.step_s < HOUR_S and shift + self.length_s > MINUTES_KEPT_S
        return None if shift < self.length_s or is_by_minute else shift

    def named_before(self, shift_s: int) -> str:
        """Return the name of the compared period with this time shift."""
        if self.name == "today" and shift_s == DAY_S:
            return "yesterday"
        return {DAY_S: "the day before", 7 * DAY_S: "the week before"}.get(shift_s, f"the {self.label} before")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDays:
    """Whole days of UTC, counted from 1970, including the last."""

    first: int
    last: int
    #: Words after a verb, as for a period.
    words: str

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def days_of(period: Period | None, *, usual: int, now: float) -> WholeDays:
    """Return the days of a period; without a period the last `usual` days, including today.

    Days that a period only covers in part are included.
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


#: The parts of the filter as in addresses, with their labels.
PARTS: Final[Mapping[str, str]] = {
    "account": "ad account",
    "from": "source",
    "period": "period",
    "against": "comparison",
}
#: Parameters that a change of the page filter removes from the address: its own parts, exact times, cursors, and
#: messages.
ANEW: Final = frozenset(
    {*PARTS, "since", "until", "cursor", "dropped_cursor", "part"}
    | {"redriven", "overtaken", "waiting", "too_old", "dismissed"}
    | {"left", "discarded", "tested", "done"}
)
#: The number of days in which a source without a file or key is still listed.
_REMEMBERED_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFilter:
    """The page filter; each page has its own defaults for missing parts."""

    #: `None`: all of them.
    account: AccountView | None = None
    #: "": all of them.
    source: str = ""
    period: Period | None = None
    #: A member of COMPARISONS; "" for the default.
    against: str = ""
    #: All selectable sources.
    sources: tuple[str, ...] = ()

    @property
    def account_id(self) -> str:
        """Return the id of the ad account; "" for all."""
        return self.account.ad_account_id if self.account else ""

    @property
    def query(self) -> dict[str, str]:
        """Return the parameters of console addresses with the filter."""
        period = self.period.name if self.period else ""
        parts = {"account": self.account_id, "from": self.source, "period": period, "against": self.against}
        return {name: text for name, text in parts.items() if text}

    def untouched(self, obeys: Collection[str]) -> str:
        """Return a sentence with the selected parts that a page ignores; "" if `obeys` has all of them."""
        left = [words for name, words in PARTS.items() if name in self.query and name not in obeys]
        if not left:
            return ""
        *others, last = left
        named = f"{', '.join(others)} and {last}" if others else last
        return f"This page ignores the {named} of the filter."

    def carried(self, page: str, base: str) -> str:
        """Return the HTML of a page, with the filter added to its links and forms within the console."""
        return _links(base).sub(self._with_parts, page) if self.query else page

    def _with_parts(self, link: re.Match[str]) -> str:
        attribute, address, fragment = link.groups()
        given = set(re.findall(r"[?;&](\w+)=", address))
        query = urlencode({name: text for name, text in self.query.items() if name not in given})
        joint = "" if not query else "&amp;" if "?" in address else "?"
        return f'{attribute}="{address}{joint}{escape(query)}{fragment or ""}"'


@cache
def _links(base: str) -> re.Pattern[str]:
    """Return the pattern of addresses of the console in HTML, except those of its files and of the log-out."""
    return re.compile(
        rf'(href|action|formaction|data-live)="({re.escape(base)}(?=[/?"#])(?!/static/|/logout)[^"#]*)(#[^"]*)?"'
    )


def filter_of(request: Request) -> PageFilter:
    """Return the filter of a guarded page."""
    found: PageFilter = request.state.page_filter
    return found


async def read_page_filter(request: Request, services: ConsoleServices) -> PageFilter:
    """Return the filter in the address of a page.

    Raises FilterError for an unknown ad account, source, period or comparison.
    """
    given = {name: request.query_params.get(name, "") for name in PARTS}
    accounts = {each.ad_account_id: each for each in services.accounts}
    known = {period.name: period for period in PERIODS}
    sources = list(services.sources())
    if (source := given["from"]) and source not in sources:
        _check("from", source, [*sources, *await services.inventory.sources(days=_REMEMBERED_DAYS)])
        sources.append(source)
    _check("account", given["account"], accounts)
    _check("period", given["period"], known)
    _check("against", given["against"], COMPARISONS)
    return PageFilter(
        account=accounts.get(given["account"]),
        source=source,
        period=known.get(given["period"]),
        against=given["against"],
        sources=tuple(sources),
    )


def _check(name: str, text: str, known: Iterable[str]) -> None:
    offered: Sequence[str] = list(known)
    if text and text not in offered:
        raise FilterError(
            f"At the head of the page the {PARTS[name]} (`{name}` in the address) must be one of: {', '.join(offered)}."
        )
