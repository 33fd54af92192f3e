"""The form of rows for the SQL engines."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
import orjson

from app.core.deliveries import NewDelivery, StoredDelivery

Record = TypeVar("Record")

#: A set with more rows is large: others do not wait for its commit.
LARGE_ROWS: Final = 500
#: The columns of a dropped event, in the order of the statements of the engines; its time follows.
DROPPED_COLUMNS: Final = attrgetter(
    "message_id",
    "ad_account_id",
    "preset",
    "outcome",
    "reason",
    "warnings",
    "event_name",
    "order_id",
    "amount",
    "currency",
    "source",
    "name",
    "channel",
    "is_trusted",
)

#: Not if its backslash is itself escaped.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def as_json(rows: Sequence[Any]) -> str:
    """Return rows as a JSON array, with U+FFFD for each U+0000.

    PostgreSQL cannot store U+0000 in texts; some versions of SQLite end a JSON text there, and its functions end other
    texts.
    """
    text = orjson.dumps(rows).decode()
    if "\\" in text and r"\u0000" in text:  # a search for a single character is ten times as fast, and usually fails
        return _NUL.sub(r"\1\\ufffd", text)
    return text


def record_of(kind: type[Record], row: Sequence[Any], **read: Any) -> Record:
    """Return a record from a row that begins with its fields, in order; `read` are fields that need conversion."""
    return kind(**dict(zip(_field_names(kind), row, strict=False)) | read)  # type: ignore[arg-type]


@cache  # pages read thousands of rows of a kind
def _field_names(kind: type) -> tuple[str, ...]:
    return getattr(kind, "__struct_fields__", None) or tuple(each.name for each in fields(kind))


def stored_deliveries(rows: Sequence[Sequence[Any]]) -> list[StoredDelivery]:
    """Read rows of the statement `deliveries`. Raises `msgspec.ValidationError` if a row has other columns."""
    return msgspec.convert(rows, list[StoredDelivery], strict=False)  # SQLite has 0 and 1 for false and true


def warnings_and_memory(delivery: NewDelivery) -> tuple[Any, ...]:
    """Return the warnings of a delivery, followed by the data from the memory as an object.

    Few deliveries have such data, so there is no column for it. `read_warnings` and `read_memory` are the inverse.
    """
    return *delivery.warnings, memory_told(delivery)


def memory_told(delivery: NewDelivery) -> dict[str, Any]:
    """Return the data from the memory, by group, in the stored form."""
    return {group: {"age_s": each.age_s, "by": each.by} for group, each in (delivery.memory or {}).items()}


def read_warnings(array: str) -> tuple[str, ...]:
    """Return the warnings of a stored array."""
    return tuple(each for each in orjson.loads(array) if isinstance(each, str))


def read_memory(array: str) -> dict[str, Any]:
    """Return the data from the memory in the same array, by group; empty without any."""
    last = orjson.loads(array)[-1:]
    return last[0] if last and isinstance(last[0], dict) else {}


def kept(text: str) -> str:
    """Return a text in a form that every engine can store: with U+FFFD for each U+0000."""
    return text.replace("\0", "\ufffd")


_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)
#: Differences of the dialects: a pattern of a shared statement, its text for PostgreSQL and for SQLite. In this order.
_DIALECTS: Final = (
    (r"%", "%%", "%"),
    (r"= ANY\(:(\w+)::\w+\[\]\)", None, r"IN (SELECT value FROM json_each(:\1))"),
    (r"each_row\(:(\w+)\) AS (\w+)", r"jsonb_array_elements(:\1::jsonb) AS \2 (value)", r"json_each(:\1) AS \2"),
    (r"\s+FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?", None, ""),
    (r' COLLATE "C"', None, ""),
    (r"IS NOT DISTINCT FROM", None, "IS"),
    (r"IS DISTINCT FROM", None, "IS NOT"),
    (r"\bleast\(", None, "min("),
    (r"\bgreatest\(", None, "max("),
    (r"\bstrpos\(", None, "instr("),
    (r"\{queue\}|\{dead\}", lambda found: found[0][1:-1], "delivery"),
    (r"\{all\}", "shown", "delivery"),
    (r"\{true\}", "true", "1"),
    (r"\{false\}", "false", "0"),
    (r"\{user\}", "user_key", "user"),
    (r"::\w+(?:\[\])?", None, ""),
    (r"(?<!:):(\w+)", r"%(\1)s", None),
)


def for_postgres(shared: str) -> str:
    """Return the text of shared statements in PostgreSQL's dialect, with parameters as psycopg writes them."""
    for pattern, postgres, _ in _DIALECTS:
        if postgres is not None:
            shared = re.sub(pattern, postgres, shared)
    return shared


def for_sqlite(shared: str) -> str:
    """Return the text of shared statements in SQLite's dialect."""
    for pattern, _, sqlite in _DIALECTS:
        if sqlite is not None:
            shared = re.sub(pattern, sqlite, shared)
    return shared


def shared_queries() -> str:
    """Read the statements of both engines: in PostgreSQL's dialect, with `:name` for a parameter."""
    return (files(__package__) / "queries.sql").read_text(encoding="utf-8")


def named_queries(*texts: str, **parts: str) -> dict[str, str]:
    """Split files of queries into statements: each begins with a line `-- name --`, comments follow.

    The text of each part, from a separate file, replaces `/* its name */`; `/* columns */` are those of
    `StoredDelivery`. Raises ValueError if two statements have one name.
    """
    text = "".join(texts)
    for part, its_text in (parts | {"columns": f"{', '.join(StoredDelivery.__struct_fields__)} "}).items():
        text = text.replace(f"/* {part} */", f"\n{its_text}")
    _, *split = _NAME.split(text)
    if repeated := [name for name, count in Counter(split[::2]).items() if count > 1]:
        raise ValueError(f"statements with the same name: {', '.join(repeated)}")
    return dict(zip(split[::2], split[1::2], strict=True))


def from_oldest(sql: str) -> str:
    """Return a statement that begins with the highest id so that it begins with the lowest."""
    return sql.replace("id DESC", "id")
