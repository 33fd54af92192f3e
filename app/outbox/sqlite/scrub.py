"""Remove the remains of erased data in a file: in its log, and in the free space of pages.

SQLite overwrites deleted data (`secure_delete`), but a split page contains copies of rows that moved to another page,
in its free space. So after an erasure the log is copied into the file and truncated, and pages are searched for the
erased data. The data is overwritten in the unused space between the pointers to cells and the cells. Elsewhere the same
bytes belong to another row. Retention does the same with the pages of payloads: an erased payload may have moved with
its neighbours before, and left a copy.

The format of pages: https://www.sqlite.org/fileformat2.html#b_tree_pages

Access to pages: https://www.sqlite.org/dbpage.html
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from app.outbox.sqlite.database import (
    BUSY_TIMEOUT_S,
    connect,
    execute_with_retries,
    transaction,
    translated_errors,
    truncate_wal,
)

#: Shorter texts appear in every page.
_MIN_CHARACTERS: Final = 6
#: The searched part of longer texts: keys of orders contain this part of the digest of an address.
_MAX_CHARACTERS: Final = 32
#: The number of pages per read; between reads others may truncate the log.
_PAGES_AT_ONCE: Final = 2_000
#: The number of searched pages of payloads, those of the lowest ids: payloads are sent, and so erased, in this order.
_PAYLOAD_PAGES: Final = 4_000
#: Beyond this number, texts are not searched separately.
_MANY: Final = 200
_PAGES_OF_PAYLOADS: Final = """
SELECT pgno, data FROM (SELECT pageno FROM dbstat WHERE name = 'payload' AND pagetype = 'leaf' LIMIT ?)
CROSS JOIN sqlite_dbpage WHERE pgno = pageno
"""
#: The kinds of pages of a tree -> the length of their header.
_HEADERS: Final = {2: 12, 5: 12, 10: 8, 13: 8}
#: The header of the file precedes that of the first page.
_OF_FILE: Final = 100


def scrub(path: Path, texts: Collection[str]) -> None:
    """Remove some texts from the log of a file, and from the free space of its pages.

    Reads the whole file, beside other processes; texts are overwritten in short transactions. An SQLite that cannot
    read pages rewrites the file instead (`VACUUM`), which blocks other writers.
    """
    looked_for = {text[:_MAX_CHARACTERS].encode() for text in texts if len(text) >= _MIN_CHARACTERS}
    with translated_errors(), closing(connect(path, timeout_s=BUSY_TIMEOUT_S)) as connection:
        truncate_wal(connection)
        if reads_pages(connection):
            if pages := list(_pages_with(connection, looked_for)):
                _overwrite(connection, pages)
        else:
            execute_with_retries(connection, "VACUUM")
        truncate_wal(connection)


def scrub_payloads(path: Path) -> None:
    """Remove erased payloads from the log of a file, and from the free space of the pages of payloads.

    Does as much as possible without a long wait. An SQLite that cannot read pages only copies and truncates the log.
    """
    with translated_errors(), closing(connect(path, timeout_s=0)) as connection:
        if reads_pages(connection):
            found = connection.execute(_PAGES_OF_PAYLOADS, (_PAYLOAD_PAGES,))
            _overwrite(connection, [number for number, page in found if page[free_room(page, number)].strip(b"\0")])
        truncate_wal(connection)


def reads_pages(connection: sqlite3.Connection) -> bool:
    """Return whether this SQLite can read and write pages as a table, and lists those of each table."""
    modules = "SELECT count(*) FROM pragma_module_list WHERE name IN ('sqlite_dbpage', 'dbstat')"
    return bool(connection.execute(modules).fetchone() == (2,))


def free_room(page: bytes, number: int) -> slice:
    """Return the unused range of a tree page, between its pointers and its cells; an empty slice for other pages."""
    start = _OF_FILE if number == 1 else 0
    header = _HEADERS.get(page[start])
    if header is None:
        return slice(0, 0)
    cells, content = (int.from_bytes(page[start + at : start + at + 2]) for at in (3, 5))
    return slice(start + header + 2 * cells, content or 65_536)


def personal_texts(payload: bytes) -> Iterator[str]:
    yield from _texts(orjson.loads(payload).get("user_data"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)


def _pages_with(connection: sqlite3.Connection, looked_for: Collection[bytes]) -> Iterator[int]:
    (count,) = connection.execute("PRAGMA page_count").fetchone()
    asked = "SELECT pgno, data FROM sqlite_dbpage WHERE pgno BETWEEN ? AND ?"
    for first in range(1, count + 1, _PAGES_AT_ONCE):
        for number, page in connection.execute(asked, (first, first + _PAGES_AT_ONCE - 1)):
            room = page[free_room(page, number)].strip(b"\0")
            # for many people, all free space is overwritten: a search for each text takes longer
            if room and (len(looked_for) > _MANY or any(text in room for text in looked_for)):
                yield number


def _overwrite(connection: sqlite3.Connection, pages: Sequence[int]) -> None:
    for first in range(0, len(pages), _PAGES_AT_ONCE):
        with transaction(connection):
            for number in pages[first : first + _PAGES_AT_ONCE]:
                (page,) = connection.execute("SELECT data FROM sqlite_dbpage WHERE pgno = ?", (number,)).fetchone()
                room = free_room(page, number)
                scrubbed = page[: room.start] + bytes(room.stop - room.start) + page[room.stop :]
                connection.execute("UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", (scrubbed, number))
