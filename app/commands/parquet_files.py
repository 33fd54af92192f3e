"""The files of `pinrelay ledger-export`: their columns, and the conversion of ledger rows to records."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import orjson
import pyarrow as pa
from pyarrow import parquet

from app.outbox.rows import read_warnings
from app.outbox.transfer import LedgerKind, delivery_columns

_TEXT, _MOMENT = pa.string(), pa.timestamp("us", tz="UTC")
_ATTEMPT = pa.struct(
    [("number", pa.int32()), ("at", _MOMENT), ("result", _TEXT), ("status", pa.int32()), ("message", _TEXT)]
)
_ORDER = [(name, _TEXT) for name in ("order_id", "amount", "currency", "channel", "source")]
_NAMES = (
    "ad_account_id",
    "preset",
    "message_id",
    "event_name",
    "event_id",
    "action_source",
    "checkout_id",
    "state",
    "name",
)
_DELIVERIES = pa.schema(
    [
        ("delivery_id", pa.int64()),
        *((name, _TEXT) for name in _NAMES),
        *_ORDER,
        ("reason", _TEXT),
        ("attempts", pa.int32()),
        ("event_time", _MOMENT),
        ("enqueued_at", _MOMENT),
        ("settled_at", _MOMENT),
        ("warnings", pa.list_(_TEXT)),
        ("is_trusted", pa.bool_()),
        ("history", pa.list_(_ATTEMPT)),
    ]
)
_DROPPED_EVENTS = pa.schema(
    [
        *(
            (name, _TEXT)
            for name in ("message_id", "ad_account_id", "preset", "outcome", "reason", "event_name", "name")
        ),
        *_ORDER,
        ("warnings", pa.list_(_TEXT)),
        ("is_trusted", pa.bool_()),
        ("was_enqueued", pa.bool_()),
        ("at", _MOMENT),
    ]
)
_COUNTED_BY = ("name", "preset", "label", "ad_account_id", "source")
_COUNTS = pa.schema([("hour", _MOMENT), *((name, _TEXT) for name in _COUNTED_BY), ("count", pa.int64())])


class ParquetFile:
    """A file that is created with its first rows; it is complete after the context, or absent after a failure."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._writer: Any = None
        self.rows = 0

    def __enter__(self) -> Self:
        """Begin the file, which is created with its first rows."""
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        """Move the file to its place, or delete it."""
        if self._writer:
            self._writer.close()
            if failure is None:
                self._part.replace(self._path)
            with suppress(FileNotFoundError):
                self._part.unlink()

    def write(self, past: LedgerKind, rows: list[list[Any]]) -> None:
        """Append rows."""
        schema, record = _FORMS[past]
        self._writer = self._writer or parquet.ParquetWriter(self._part, schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist([record(row) for row in rows], schema=schema))
        self.rows += len(rows)


def _delivery_record(row: list[Any]) -> dict[str, Any]:
    delivery = delivery_columns(row)
    return {
        **delivery,
        "delivery_id": delivery["id"],
        "warnings": read_warnings(delivery["warnings"]),
        "is_trusted": bool(delivery["is_trusted"]),
        "history": [
            {"number": number, "at": _moment(at), "result": result, "status": status, "message": message}
            for number, at, result, status, message in delivery["history"]
        ],
        **{name: _moment(delivery[name]) for name in ("event_time", "enqueued_at", "settled_at")},
    }


def _dropped_event_record(row: list[Any]) -> dict[str, Any]:
    _, message_id, account, preset, outcome, reason, warnings, event_name, *rest = row
    order_id, amount, currency, source, name, channel, is_trusted, was_enqueued, at = rest
    return {
        "message_id": message_id,
        "ad_account_id": account,
        "preset": preset,
        "outcome": outcome,
        "reason": reason,
        "warnings": orjson.loads(warnings),
        "event_name": event_name,
        "name": name,
        "order_id": order_id,
        "amount": amount,
        "currency": currency,
        "channel": channel,
        "source": source,
        "is_trusted": bool(is_trusted),
        "was_enqueued": bool(was_enqueued),
        "at": _moment(at),
    }


def _count_record(row: list[Any]) -> dict[str, Any]:
    hour, *counted_by, count = row
    return {"hour": _moment(hour), **dict(zip(_COUNTED_BY, counted_by, strict=True)), "count": count}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


#: The columns of a file, and the function that converts rows to records.
_FORMS: Final = {
    LedgerKind.DELIVERED: (_DELIVERIES, _delivery_record),
    LedgerKind.DEAD: (_DELIVERIES, _delivery_record),
    LedgerKind.DROPPED_EVENTS: (_DROPPED_EVENTS, _dropped_event_record),
    LedgerKind.COUNTS: (_COUNTS, _count_record),
}
