"""Revenue: the value of orders, their states, and suspicious amounts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.console.charts import StackedChart, stack
from app.console.filter import days_of, filter_of
from app.console.labels import changed
from app.console.pages import PageGroup
from app.core.deliveries import State
from app.core.events import Outcome
from app.core.values.times import DAY_S
from app.insights.orders.revenue import ORDERS_BECAME, CurrencyTotals, RevenueLine, read_revenue

#: The default number of days, including today.
_USUAL_DAYS: Final = 7
#: Maximum number of currencies in full (the others have a line each), and of the newest days of a period.
_SHOWN_WHOLE: Final = 2
_SHOWN_DAYS: Final = 14
#: The parts of the chart's bars: label and counted states.
_OUTCOMES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "delivered": ("sent", (State.DELIVERED,)),
    "waiting": ("waiting", ("waiting",)),
    "withheld": ("withheld or withdrawn", (Outcome.WITHHELD, Outcome.WITHDRAWN)),
    "invalid": ("not sent", (State.DEAD, State.DISMISSED, Outcome.INVALID, Outcome.REFUSED)),
}
#: The tables by the kind of their lines, which is a filter of the list of deliveries except for days; with their
#: headings.
_KINDS: Final = {
    "day": "By day",
    "preset": "By preset",
    "source": "By source",
    "channel": "By order channel",
    "ad_account_id": "By ad account",
}


class RevenuePages(PageGroup):
    """The page of orders' values."""

    async def show(self, request: Request) -> Response:
        """Show the value of orders, a block for each currency."""
        chosen, now = filter_of(request), self._services.clock()
        days = days_of(chosen.period, usual=_USUAL_DAYS, now=now)
        wanted = {"ad_account_id": chosen.account_id or None, "source": chosen.source or None}
        today, outbox = int(now // DAY_S), self._services.outbox
        figures = await read_revenue(outbox, wanted, first_day=days.first, last_day=days.last, over=today - 1)
        asked = request.query_params.get("currency")
        whole = [each for each in figures if each.currency == asked] or figures[:_SHOWN_WHOLE]
        return self._pages.render(
            request,
            "revenue.html",
            obeys=("account", "from", "period", "against"),
            usual=f"{_USUAL_DAYS} days",
            nav="revenue",
            words=days.words,
            length=days.length,
            blocks=whole,
            others=[each for each in figures if each not in whole],
            kinds=_KINDS,
            shown_days=_SHOWN_DAYS,
            became=ORDERS_BECAME,
            columns=_columns,
            filters=partial(_filters, first=days.first, last=days.last),
            changed=changed,
            chart=_chart,
            outcomes=_OUTCOMES,
            worth_of=_worth,
            day_s=DAY_S,
            is_running=days.last == today,
        )


def _chart(block: CurrencyTotals) -> StackedChart:
    """Draw the value of each day's orders by outcome, each order once."""
    days = block.once_by_day[::-1]
    series = {name: [int(_worth(day, name)) for day in days] for name in _OUTCOMES}
    return stack([int(day.name) * DAY_S for day in days], series)


def _worth(line: RevenueLine, outcome: str) -> Decimal:
    """Return the value of a line's orders with an outcome of _OUTCOMES."""
    became = (line.became.get(each) for each in _OUTCOMES[outcome][1])
    return sum((totals.amount for totals in became if totals), Decimal(0))


def _filters(
    block: CurrencyTotals, became: str, kind: str = "", line: RevenueLine | None = None, *, first: int, last: int
) -> dict[str, Any]:
    """Return the filters of the list for the figure of a line; `became` is "" for all received orders."""
    if line and kind == "day":
        first = last = int(line.name)
    filters: dict[str, Any] = {"currency": block.currency or "none"}
    if line and kind != "day":
        filters |= {kind: line.name} if line.name else {"channel": "none"} if kind == "channel" else {"taken": "no"}
    if became in {"waiting", State.DELIVERED, State.DEAD, State.DISMISSED}:
        filters["state"] = became
    elif became:
        filters["outcome"] = became
    if became != Outcome.UNMATCHED:
        filters["is_order"] = "yes"
    return filters | {"since": first * DAY_S, "until": (last + 1) * DAY_S}


def _columns(block: CurrencyTotals) -> Sequence[str]:
    """Return the states that occur in the block, and always the delivered state."""
    return [each for each in ORDERS_BECAME if each == State.DELIVERED or each in block.whole.became]
