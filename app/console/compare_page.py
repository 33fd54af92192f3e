"""Compare an uploaded file of the shop's orders with the ledger: missing orders, with reasons.

The file is not stored.
"""

import asyncio
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.console.filter import filter_of
from app.console.pages import PageGroup, Pages, person_of
from app.console.services import ConsoleServices
from app.destination import redact
from app.errors import ColumnsUnknown, WarehouseError
from app.insights.orders.reconcile import LedgerPart, Reconciliation
from app.insights.orders.shop_orders import ledger_key
from app.warehouse import temporary_folder

#: The size of a file with its form.
MAX_UPLOAD_BYTES: Final = 100_000_000
TOO_LARGE_HELP: Final = (
    "Compare a larger file on the machine that runs Pinrelay: pinrelay reconcile FILE. Or split it, such as by month."
)
#: The time-out of an upload, during which other uploads wait.
_UPLOAD_S: Final = 600
_NO_ROOM: Final = (
    "The temporary folder of the server cannot hold the file. Let TMPDIR name a folder with more room, or compare "
    "elsewhere: pinrelay reconcile FILE."
)
_NEEDED: Final = ("duckdb", "python_multipart")
#: The columns that users can select, as in `columns_of_shop`, with their labels.
COLUMN_FIELDS: Final = {
    "order_id": "Column of the order id",
    "total": "Column of the amount",
    "currency": "Column of the currency, or an ISO code",
    "time": "Column of the time",
}
_MAX_FIELD_BYTES: Final = 1_000
_NO_EXPORT: Final = (
    "The file is not an export of Shopify or WooCommerce. Name the column of the order id and that of the amount "
    "above, then compare again."
)
_LISTED_COLUMNS: Final = 100
#: Maximum numbers of order ids, and of table rows, on a page.
_IDS: Final = 300
_LINES: Final = 40
#: Maximum length of the message about a file, which may list thousands of columns.
_FAULT: Final = 3_000


class ComparePages(PageGroup):
    """The form, and the result of a comparison."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        #: Serialises comparisons, because each needs memory, disk and a core.
        self._turn = asyncio.Lock()

    async def show(self, request: Request) -> Response:
        """Show the form, or its requirements."""
        return self._render(request)

    async def run(self, request: Request) -> Response:
        """Compare the file of the form, and show the results for its orders."""
        if _is_without_extra():
            return self._render(request, status=501)
        if self._turn.locked():
            return self._render(request, status=409, fault="Another comparison is running. Try again when it is done.")
        async with self._turn:
            try:
                async with asyncio.timeout(_UPLOAD_S):
                    form = await request.form(max_files=1, max_fields=9, max_part_size=_MAX_FIELD_BYTES)
            except (HTTPException, TimeoutError):
                return self._render(request, status=400, fault="The file did not arrive whole. Send it again.")
            except OSError:
                return self._render(request, status=507, fault=_NO_ROOM)
            try:
                return await self._answer(request, form)
            finally:
                await form.close()

    async def _answer(self, request: Request, form: FormData) -> Response:
        upload = form.get("file")
        if not isinstance(upload, UploadFile) or not upload.filename:
            return self._render(request, status=400, fault="Choose a file.")
        named = {name: str(form.get(name) or "").strip() or None for name in COLUMN_FIELDS}
        try:
            found = await self._compare(request, upload, named)
        except ColumnsUnknown as exc:
            shown = [redact(name) for name in exc.columns]
            fault = f"{_NO_EXPORT} The file has: {', '.join(shown)}"[:_FAULT]
            return self._render(request, status=400, fault=fault, named=named, columns=shown[:_LISTED_COLUMNS])
        except WarehouseError as exc:
            return self._render(request, status=400, fault=redact(str(exc))[:_FAULT], named=named)
        except OSError:
            return self._render(request, status=507, fault=_NO_ROOM)
        return self._render(request, found=found)

    async def _compare(self, request: Request, upload: UploadFile, named: dict[str, str | None]) -> Reconciliation:
        chosen, now = filter_of(request), self._services.clock()
        part = LedgerPart(
            source=chosen.source or None,
            ad_account_id=chosen.account_id or None,
            since=chosen.period.starts(now)[0] if chosen.period else None,
            until=chosen.period.until(now) if chosen.period else None,
        )
        with temporary_folder() as folder:
            file = Path(folder, "orders" + Path(upload.filename or "").suffix.lower())
            await asyncio.to_thread(_write, upload, file)
            rules = self._services.settings
            begins = now - min(rules.ledger_s, rules.ledger_delivered_s)
            return await self._services.acts.orders.compare(
                person_of(request), str(file), named=named, part=part, ledger_begins=begins, is_strange=True
            )

    def _render(
        self,
        request: Request,
        *,
        status: int = 200,
        fault: str = "",
        named: dict[str, str | None] | None = None,
        columns: Sequence[str] = (),
        found: Reconciliation | None = None,
    ) -> Response:
        return self._pages.render(
            request,
            "compare.html",
            status=status,
            obeys=("account", "from", "period"),
            usual="the days of the file",
            nav="compare",
            lacks_extra=_is_without_extra(),
            fault=fault,
            fields=COLUMN_FIELDS,
            named=named or {},
            columns=columns,
            found=found,
            fates=fates_of(found) if found else [],
            shown_lines=_LINES,
            max_megabytes=MAX_UPLOAD_BYTES // 1_000_000,
        )


def fates_of(found: Reconciliation) -> list[dict[str, Any]]:
    """Return the results for orders, the most frequent first, up to the page's limit.

    Each result has ids -> their search texts.
    """
    room, fates = _IDS, []
    for (fate, reason), count in found.sums.reasons.most_common():
        named = list(found.sums.named[fate, reason].items())[:room]
        room -= len(named)
        ids = {shown: known or ledger_key(shown) or shown for shown, known in named}
        fates.append({"fate": fate.value, "reason": reason, "orders": count, "ids": ids})
    return fates


def _is_without_extra() -> bool:
    return any(find_spec(name) is None for name in _NEEDED)


def _write(upload: UploadFile, file: Path) -> None:
    with file.open("wb") as written:
        shutil.copyfileobj(upload.file, written)
