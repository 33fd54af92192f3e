"""Damages a file as a failing disk does."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random


def damage_pages_of(path: Path, table: str, *, count: int, seed: int = 7) -> list[int]:
    """Overwrite so many leaf pages of a table, or of an index, with noise; return their numbers."""
    chance = Random(seed)
    return _damage(path, table, lambda leaves: chance.sample(sorted(leaves), count), chance)


def damage_end_of(path: Path, table: str) -> None:
    """Overwrite the last leaf page of a table with noise: that of its highest ids."""
    _damage(path, table, lambda leaves: leaves[-1:], Random(7))


def _damage(path: Path, table: str, choose: Callable[[list[int]], list[int]], chance: Random) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    whole = bytearray(path.read_bytes())
    chosen = choose([leaf for leaf in _leaves(whole, root, size) if leaf != root])
    for number in chosen:
        begin = (number - 1) * size
        whole[begin : begin + size] = chance.randbytes(size)
    path.write_bytes(whole)
    return chosen


def _leaves(whole: bytearray, number: int, size: int) -> list[int]:
    """Return the leaf pages below a page (https://www.sqlite.org/fileformat2.html#b_tree_pages)."""
    begin = (number - 1) * size
    kind = whole[begin]
    if kind not in (2, 5):  # no page that leads on to others
        return [number]
    cells = int.from_bytes(whole[begin + 3 : begin + 5])
    places = [int.from_bytes(whole[begin + 12 + 2 * n : begin + 14 + 2 * n]) for n in range(cells)]
    below = [int.from_bytes(whole[begin + place : begin + place + 4]) for place in places]
    below.append(int.from_bytes(whole[begin + 8 : begin + 12]))
    return [leaf for page in below for leaf in _leaves(whole, page, size)]
