"""Input from browsers: forms, with limits, and only from pages of the console."""

import asyncio
import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlencode

import orjson
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup, escape
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from app import __version__
from app.access.admission import NOT_OPERATOR, sent_from_console
from app.access.users import Person
from app.console import labels
from app.console.charts import FLOW_WIDTH, FULL
from app.console.filter import ANEW, COMPARISONS, PERIODS, PageFilter
from app.console.services import ConsoleServices
from app.core.events import MAX_LABEL_CHARACTERS
from app.core.values.texts import count_of
from app.core.values.times import at_second, hold_text
from app.destination import redact
from app.errors import FilterError
from app.operations.declaration import Call, Column, Operation, csv_text, faults_of, read_texts
from app.operations.deliveries import MAX_WHY
from app.outbox import NO_COUNTRY, SEARCH_FILTERS
from app.pipeline.explain import IN_WORDS
from app.pipeline.receipts import CANCELLED
from app.pipeline.search import MAX_FOUND_BY

#: The size of an event and a YAML file, at three bytes for most characters.
MAX_FORM_BYTES = 1_000_000
#: The editor of a preset sends hundreds.
MAX_FORM_FIELDS: Final = 5_000
PASTED = "Paste a single event."
#: A longer text is not read as a number.
_MAX_DIGITS = 12

#: The first value of each name.
Form: TypeAlias = dict[str, str]


def why_not_read(request: Request, max_bytes: int, remedy: str) -> tuple[int, str, str] | None:
    """Return why a form is refused by its headers: status, title and text of the response; `None` if it is accepted.

    `remedy` is for a form of more than `max_bytes`.
    """
    if not sent_from_console(request.headers):
        text = (
            "This form did not come from a page of the console. Open the console and try again; "
            "behind a proxy, let it pass the Host header on."
        )
        return 403, "Not sent from the console", text
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > max_bytes:
        return 413, "Too long", f"Up to {max_bytes:,} bytes can be sent at once. {remedy}"
    return None


async def read_form(request: Request) -> Form:
    """Parse a URL-encoded form; line ends become single line feeds. Raises FilterError for too many fields."""
    text = (await request.body()).decode(errors="replace")
    if text.count("&") >= MAX_FORM_FIELDS:
        message = f"The form has more than {MAX_FORM_FIELDS:,} fields. Send fewer."
        raise FilterError(message)
    fields = await asyncio.to_thread(parse_qs, text, keep_blank_values=True, errors="replace")
    return {name: values[0].replace("\r\n", "\n").replace("\r", "\n") for name, values in fields.items()}


def given_number(text: str | None) -> int | None:
    """Return the whole number in a form or an address; `None` if there is none, or it is too long.

    >>> given_number("12"), given_number("-1"), given_number("9" * 5_000), given_number(None)
    (12, None, None, None)
    """
    return int(text) if text and text.isdecimal() and len(text) <= _MAX_DIGITS else None


ROOM = Path(__file__).parent
_IN_BACKTICKS = re.compile("`([^`]+)`")


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """An entry of the navigation: a page, and the pages below it."""

    #: The value of `nav` in the page.
    page: str
    #: Below /console.
    path: str
    label: str
    #: The `d` of an SVG path of 16 by 16; "" below another entry.
    icon: str = ""
    below: tuple["NavigationEntry", ...] = ()
    #: Hidden from viewers.
    for_operators: bool = False

    def holds(self, page: str) -> bool:
        """Return whether a page is this page, or below it."""
        return page == self.page or any(each.page == page for each in self.below)


NAVIGATION: Final = (
    NavigationEntry("overview", "", "Overview", "M2.5 8.5 8 3.5l5.5 5M4.5 7v6h7V7"),
    NavigationEntry(
        "inventory",
        "/inventory",
        "Events",
        "M2 8h3l2-5 3 10 2-5h2",
        below=(
            NavigationEntry("tail", "/tail", "Live tail", for_operators=True),
            NavigationEntry("tester", "/tester", "Event tester"),
            NavigationEntry("quarantine", "/quarantine", "Quarantine"),
            NavigationEntry("pixel", "/pixel", "Shopify pixel"),
        ),
    ),
    NavigationEntry("deliveries", "/deliveries", "Deliveries", "M14 2 7 9M14 2l-4.5 12L7 9 2 6.5z"),
    NavigationEntry(
        "people",
        "/people",
        "People",
        "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M3 13.5c.5-3 2.5-4 5-4s4.5 1 5 4",
        below=(NavigationEntry("quality", "/quality", "Match quality"),),
    ),
    NavigationEntry("mappings", "/mappings", "Presets", "M2 4.5h6M12 4.5h2M10 2.5v4M2 11.5h2M8 11.5h6M6 9.5v4"),
    NavigationEntry(
        "revenue",
        "/revenue",
        "Revenue",
        "M3 13.5V9M8 13.5v-11M13 13.5V6",
        below=(
            NavigationEntry("compare", "/revenue/compare", "Compare orders"),
            NavigationEntry("pinterest", "/pinterest", "Pinterest reports"),
            NavigationEntry("tag", "/tag-check", "Tag check"),
        ),
    ),
    NavigationEntry("activity", "/activity", "Activity", "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 4.5V8l2.5 1.5"),
)
#: The global names of all templates.
_WORDS: Final[Mapping[str, Any]] = {
    "advice": labels.warning_advice,
    "cancelled": CANCELLED,
    "comparisons": COMPARISONS,
    "count_of": count_of,
    "money": labels.money,
    "percent": labels.percent,
    "periods": PERIODS,
    "max_label": MAX_LABEL_CHARACTERS,
    "no_country": NO_COUNTRY,
    "max_found_by": MAX_FOUND_BY,
    "max_why": MAX_WHY,
    "navigation": NAVIGATION,
    "states": labels.STATE_LABELS,
    "outcomes": IN_WORDS,
    "filter_words": SEARCH_FILTERS,
    "flow_width": FLOW_WIDTH,
    "full": FULL,
    "groups": labels.GROUP_LABELS,
}

#: Pages may not load from, send to, or be framed by other origins.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not `no-referrer`: browsers then send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


#: The cookie with the reader's theme, set by the script; the default is the system's theme.
_THEME, _THEMES = "pinrelay-theme", ("light", "dark")


class Pages:
    """Renders templates and serves their files."""

    def __init__(self, services: ConsoleServices) -> None:
        self._services = services
        self._files = {file.name: file.read_bytes() for file in sorted((ROOM / "static").iterdir())}
        # Files may be cached forever, because their address changes with their content.
        self._version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        obeys: Collection[str] = (),
        usual: str = "",
        kept: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Render a template; `base` is the console's path, as the browser sees it.

        `obeys` are the parts of the page filter that restrict the page: the page lists the ignored ones itself. `usual`
        is the default period, "" without one. `kept` are the parameters that stay when the filter changes; `None`: all
        but those in ANEW, without personal data.
        """
        base, chosen = base_of(request), _chosen(request)
        text = (
            environment()
            .get_template(template)
            .render(
                base=base,
                chosen=chosen if request.method == "GET" else None,
                untouched=chosen.untouched(obeys) if chosen else "",
                obeys=obeys,
                usual=usual,
                kept=_kept(request) if kept is None else kept,
                services=self._services,
                settings=self._services.settings_set,
                theme=theme if (theme := request.cookies.get(_THEME)) in _THEMES else "",
                now=self._services.clock(),
                person=getattr(request.state, "person", None),
                pinrelay_version=__version__,
                restart_notice=self._services.restart_notice,
                version=self._version,
                **values,
            )
        )
        text = chosen.carried(text, base) if chosen else text
        return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})

    def problem(self, request: Request, status: int, title: str, text: str) -> HTMLResponse:
        """Show a page with an error."""
        return self.render(request, "problem.html", status=status, title=title, text=text)

    def only_operators(self, request: Request) -> HTMLResponse:
        """Show that viewers cannot perform the action."""
        NOT_OPERATOR.note(request.scope)
        text = "You are logged in as a viewer: you can look, and change nothing. Ask for the role operator."
        return self.problem(request, 403, "This is for operators", text)

    async def unknown(self, request: Request) -> Response:
        """Show that the page does not exist; an address with a trailing slash redirects to the one without."""
        if request.url.path.endswith("/"):
            return RedirectResponse(request.url.replace(path=request.url.path.rstrip("/")))
        title, text = "There is no such page", "Go on from the overview, the first of the pages listed here."
        return self.problem(request, 404, title, text)

    async def file(self, request: Request) -> Response:
        """Serve a style sheet, a script or the icon. Raises HTTPException (404) for other names."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0]
        return Response(
            self._files[name], media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"}
        )


#: Rows of a page that an export reads.
_EXPORTED_ROWS: Final = 500
#: Read a page of rows: (limit, cursor) -> rows and the cursor of the next page.
ReadRows: TypeAlias = Callable[[int, str | None], Awaitable[tuple[Iterable[Any], str | None]]]


def csv_download(name: str, columns: Sequence[Column], read: ReadRows) -> StreamingResponse:
    """Return a whole list as a CSV file, read page by page."""

    async def lines() -> AsyncIterator[str]:
        cursor, has_head = None, True
        while has_head or cursor is not None:
            rows, cursor = await read(_EXPORTED_ROWS, cursor)
            yield csv_text(columns, rows, has_head=has_head)
            has_head = False

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


class PageGroup:
    """Related pages, with their services."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def call(self, request: Request) -> Call:
        """Return the call of an operation by the admitted person."""
        return Call(person=person_of(request), services=self._services.shared)


def read_params(operation: Operation, texts: Mapping[str, str]) -> Any:
    """Return the parameters in a form or an address. Raises FilterError."""
    try:
        return read_texts(operation, texts)
    except ValidationError as exc:
        raise FilterError("; ".join(text for _, text in faults_of(exc))) from exc


def base_of(request: Request) -> str:
    """Return the path of the console as the browser sees it, without a trailing slash."""
    return f"{request.scope.get('root_path', '')}/console"


def go(request: Request, page: str, values: Mapping[str, str | int] | None = None) -> Response:
    """Return a redirect to another page of the console, with these values and the page filter in the address."""
    chosen = _chosen(request)
    carried = {**(chosen.query if chosen else {}), **(values or {})}
    query = f"?{urlencode(carried)}" if carried else ""
    return RedirectResponse(f"{base_of(request)}/{page}{query}", status_code=303)


def person_of(request: Request) -> Person:
    """Return the person who was admitted to the page; not available on public pages."""
    person: Person = request.state.person
    return person


def _chosen(request: Request) -> PageFilter | None:
    """Return the page filter; `None` on public pages, or if the address has an invalid one."""
    return getattr(request.state, "page_filter", None)


def _kept(request: Request) -> dict[str, str]:
    return {name: redact(text) for name, text in request.query_params.items() if name not in ANEW}


class CompiledTemplates(FileSystemBytecodeCache):
    """Stores compiled templates beside compiled modules, if the process may write there."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a newly compiled template."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


@cache
def environment() -> Environment:
    """Return the environment of templates, once for each process, because it does not depend on the settings."""
    made = Environment(
        bytecode_cache=CompiledTemplates(str(ROOM / "__pycache__"), "template-%s.pyc"),
        loader=FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        answer=labels.answer_label,
        from_json=orjson.loads,
        component=labels.component_label,
        thousands=labels.thousands,
        plain=labels.outcome_label,
        pretty=labels.pretty,
        time_span=labels.time_span,
        clock=at_second,
        time=_time,
        day=labels.day,
        breakable=_breakable,
        hold=hold_text,
        json=lambda value: orjson.dumps(value).decode(),
        mapped=labels.mapped_value,
        middle=labels.middle,
        worth=labels.worth,
        with_code=_with_code,
        coded=_coded,
    )
    made.globals.update(_WORDS)
    return made


def _coded(text: str) -> Markup:
    """Return text between backticks as unbreakable code."""
    return Markup(_IN_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _with_code(text: str) -> Markup:
    """Return text between backticks as code; names in it may be broken."""
    return Markup(_IN_BACKTICKS.sub(r"<code>\1</code>", _breakable(text)))  # noqa: S704 - escaped


def _breakable(name: str) -> Markup:
    """Return a name that the browser may break after each `_`, so that a long name does not widen its table."""
    return Markup("_<wbr>").join(map(escape, name.split("_")))


def _time(at: float) -> Markup:
    """Return a time in UTC; the script converts it to the reader's time zone."""
    return Markup('<time datetime="{}">{}</time>').format(labels.iso(at), at_second(at))
