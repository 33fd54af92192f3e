"""The interface of rows, independent of their source."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from app.errors import WarehouseError

ROWS_AT_ONCE: Final = 10_000


class Batch(NamedTuple):
    """Some rows, in the order of a cursor."""

    rows: list[str]
    #: The cursor of each row, as text.
    cursors: list[str]


class TextTable(Protocol):
    """Rows with named columns, as texts. Every method may raise WarehouseError."""

    @property
    def columns(self) -> Sequence[str]: ...

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        """Yield batches of rows, as texts of these columns only; `None` stands for a missing column."""
        ...


class RowTable(TextTable, Protocol):
    """The same rows, also available as whole records."""

    def wholes(self, *, limit: int) -> Iterator[list[str]]:
        """Yield whole rows as JSON, at most `limit` at once, in order of reading; no rows are stored."""
        ...

    def batches(self, cursor: str, since: str | None, *, limit: int) -> Iterator[Batch]:
        """Yield whole rows, at most `limit` at once, by a column from its value `since` on; `None`: from the lowest.

        Rows without a value in the column are omitted.
        """
        ...


def checked(column: str, columns: Sequence[str]) -> str:
    """Return a column in SQL notation. Raises WarehouseError if it does not exist."""
    if column not in columns:
        raise WarehouseError(f'there is no column "{column}"; there are: {", ".join(columns)}')
    return '"' + column.replace('"', '""') + '"'
