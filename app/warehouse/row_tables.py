"""What is asked of rows, wherever they lie."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from app.errors import WarehouseError

ROWS_AT_ONCE: Final = 10_000


class Batch(NamedTuple):
    """Some rows, in the order of a cursor."""

    rows: list[str]
    #: The cursor of each, as text.
    cursors: list[str]


class TextTable(Protocol):
    """Rows with named columns, as texts. Every method may raise WarehouseError."""

    @property
    def columns(self) -> Sequence[str]: ...

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        """Yield some rows after the other, as texts of these columns alone; None stands for one that there is not."""
        ...


class RowTable(TextTable, Protocol):
    """The same rows, which can also be had whole."""

    def wholes(self, *, limit: int) -> Iterator[list[str]]:
        """Yield whole rows, each as JSON, at most `limit` at once, in the order in which they come: nothing is kept."""
        ...

    def batches(self, cursor: str, since: str | None, *, limit: int) -> Iterator[Batch]:
        """Yield whole rows, at most `limit` at once, by a column from its value `since` on; None: from the lowest.

        Rows without a value there are left out.
        """
        ...


def checked(column: str, columns: Sequence[str]) -> str:
    """Return a column as SQL names it. Raises WarehouseError where there is none."""
    if column not in columns:
        raise WarehouseError(f'there is no column "{column}"; there are: {", ".join(columns)}')
    return '"' + column.replace('"', '""') + '"'
