"""One filter for all pages: ad account, source, period and what it is compared with. The address bar carries it."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from app.console.periods import COMPARISONS, PERIODS, Period
from app.console.services import ConsoleServices
from app.core.pages import AccountView
from app.errors import FilterError

#: The parts of the filter as addresses name them, in words.
PARTS: Final[Mapping[str, str]] = {
    "account": "ad account",
    "from": "source",
    "period": "period",
    "against": "comparison",
}
#: What a choice at the head of a page takes out of its address: its own parts, exact times, places in a list, and what
#: was just done.
ANEW: Final = frozenset(
    {*PARTS, "since", "until", "cursor", "notes_cursor", "part", "redriven", "overtaken", "waiting", "dismissed"}
    | {"left", "discarded", "tested", "done"}
)
#: So far back one looks for a source that has no file and no key any more.
_REMEMBERED_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFilter:
    """What is chosen at the head of the page; what is not chosen is for each page to say."""

    #: None: all of them.
    account: AccountView | None = None
    #: "": all of them.
    source: str = ""
    period: Period | None = None
    #: One of COMPARISONS; "" where none is chosen.
    against: str = ""
    #: All sources that may be chosen.
    sources: tuple[str, ...] = ()

    @property
    def account_id(self) -> str:
        """The id of the ad account; "" of all."""
        return self.account.ad_account_id if self.account else ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters by which addresses of the console carry the filter."""
        period = self.period.name if self.period else ""
        parts = {"account": self.account_id, "from": self.source, "period": period, "against": self.against}
        return {name: text for name, text in parts.items() if text}

    def untouched(self, obeys: Collection[str]) -> str:
        """Say which chosen parts do not narrow a page that obeys these; "" where it obeys all that are chosen."""
        left = [f"the {words}" for name, words in PARTS.items() if name in self.query and name not in obeys]
        if not left:
            return ""
        *others, last = left
        named = f"{', '.join(others)} and {last}" if others else last
        return f"{named[0].upper()}{named[1:]} chosen above {'do' if others else 'does'} not narrow this page."

    def carried(self, page: str, base: str) -> str:
        """Return the HTML of a page whose links and forms within the console carry the filter."""
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
    """Return the filter of a page that is guarded, as its address says it."""
    found: PageFilter = request.state.page_filter
    return found


async def read_page_filter(request: Request, services: ConsoleServices) -> PageFilter:
    """Return the filter that the address of a page carries.

    Raises FilterError, which names the part, for an ad account, source, period or comparison that there is not.
    """
    given = {name: request.query_params.get(name, "") for name in PARTS}
    accounts = {each.ad_account_id: each for each in services.destination.accounts}
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
            f"At the head of the page the {PARTS[name]} (`{name}` in the address) is none of: {', '.join(offered)}."
        )
