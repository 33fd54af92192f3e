"""Revenue: what orders were worth, what became of them, and which amounts look wrong."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import Pages
from app.console.services import ConsoleServices
from app.orders.revenue_figures import ORDERS_BECAME, OfCurrency, RevenueLine, Worth, by_currency, first_day_read
from app.outbox.storing import DAY_S
from app.types import Exit, State
from app.values.amounts import WITHOUT_FRACTIONS

#: How far back one may look: the first and the last day, counted back from today.
REVENUE_SPANS: Final[Mapping[str, tuple[str, int, int]]] = {
    "today": ("today", 0, 0),
    "yesterday": ("yesterday", 1, 1),
    "week": ("7 days", 6, 0),
    "fortnight": ("14 days", 13, 0),
}
#: So many currencies are shown whole, the others by a line each.
_SHOWN_WHOLE: Final = 2
#: Which filter of the list of deliveries means a preset, source or ad account; and the headings of their tables.
_KINDS: Final = {"preset": "By preset", "source": "By source", "ad_account_id": "By ad account"}


class RevenuePages:
    """The one page."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """Show what orders were worth, a block for each currency; of all ad accounts and sources, or of one."""
        given = request.query_params
        span = given.get("span", "")
        span = span if span in REVENUE_SPANS else "week"
        chosen = {name: given.get(name, "") for name in ("ad_account_id", "source")}
        today = int(self._services.clock() // DAY_S)
        _, first_back, last_back = REVENUE_SPANS[span]
        first, last = today - first_back, today - last_back
        rows = await self._services.outbox.revenue(first_day=first_day_read(first, last), last_day=last)
        meant = [row for row in rows if all(text in ("", getattr(row, name)) for name, text in chosen.items())]
        figures = by_currency(meant, first_day=first, last_day=last)
        asked = given.get("currency")
        whole = [each for each in figures if each.currency == asked] or figures[:_SHOWN_WHOLE]
        return self._pages.render(
            request,
            "revenue.html",
            nav="revenue",
            span=span,
            spans={name: label for name, (label, *_) in REVENUE_SPANS.items()},
            sources=sorted({row.source for row in rows}),
            chosen=chosen,
            blocks=whole,
            others=[each for each in figures if each not in whole],
            kinds=_KINDS,
            became=ORDERS_BECAME,
            columns=_columns,
            filters=_Filters(chosen, first, last),
            money=money,
            change=change,
            day_s=DAY_S,
            is_running=last_back == 0,
        )


class _Filters:
    """Makes the addresses behind the figures: filters of the list of deliveries."""

    def __init__(self, chosen: Mapping[str, str], first: int, last: int) -> None:
        self._chosen = {name: text for name, text in chosen.items() if text}
        self._days = (first, last)

    def __call__(
        self, block: OfCurrency, became: str, kind: str = "", line: RevenueLine | None = None
    ) -> dict[str, Any]:
        """Return the filters behind the figure of one line, `became` "" being all that was received."""
        first, last = (int(line.name), int(line.name)) if line and kind == "day" else self._days
        filters: dict[str, Any] = self._chosen | ({"currency": block.currency} if block.currency else {})
        if line and kind != "day" and line.name:
            filters[kind] = line.name
        if became == "waiting":
            filters["state"] = State.PENDING.value
        elif became in {State.DELIVERED, State.DEAD, State.DISMISSED}:
            filters["state"] = became
        elif became:
            filters["exit"] = became
        if became != Exit.UNMATCHED:
            filters["event_name"] = "checkout"
        return filters | {"since": first * DAY_S, "until": (last + 1) * DAY_S}


def money(amount: Decimal, currency: str) -> str:
    """Return an amount for reading: `1,234.50`, of yen `1,234`; nothing of it is rounded away."""
    places = 0 if currency in WITHOUT_FRACTIONS else 2
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:,.{max(places, -exponent if isinstance(exponent, int) else 0)}f}"


def change(now: Worth, before: Worth) -> str:
    """Return by how much more or less there is than before, in hundredths: `+12 %`; "" where there was nothing."""
    return f"{float((now.amount - before.amount) / before.amount):+.0%}".replace("%", " %") if before.amount else ""


def _columns(block: OfCurrency) -> Sequence[str]:
    """Return what became of any order of the block; what is sent always."""
    return [each for each in ORDERS_BECAME if each == State.DELIVERED or each in block.whole.became]
