"""What is erased of people is in no page of the file any more, and what others have is where it was."""

import hashlib
import itertools
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from app.core.people import PeopleChanges, PersonChange, SuppressionChange
from app.errors import OutboxUnavailable
from app.outbox import Outbox, open_outbox
from app.outbox.sqlite import database, people, scrub
from tests.outbox.build import NOW, new, payload, rules
from tests.rows import every_row

MANY = 3_000


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def texts(number: int) -> list[str]:
    """The key of a person, and what is remembered."""
    return [digest(f"{kind} {number}") for kind in ("key", "em", "fn")]


def written(number: int, revision: int) -> PersonChange:
    """A person as first written, and as written again, when there is more to say."""
    key, em, fn = texts(number)
    more = "x" * 300 * revision
    record = orjson.dumps({"facts": {"em": em, "name": fn, "more": more}, "link": None}).decode()
    return PersonChange(key=key, revision=revision, seen_at=NOW, stale_at=NOW + 9, record=record)


async def change(outbox: Outbox, *people: PersonChange) -> None:
    marks = [SuppressionChange(key=each.key, was=None, now=None) for each in people]
    await outbox.enqueue([], [], [], now=NOW, people=PeopleChanges(people=list(people), suppressions=marks))


def left(path: Path, numbers: list[int]) -> set[int]:
    """Those of whom anything stands in the file or its log, which are gone through once."""
    written = b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
    runs = re.findall(rb"[0-9a-f]{64,}", written)
    digests = {run[at : at + 64] for run in runs for at in range(len(run) - 63)}
    return {number for number in numbers if any(text.encode() in digests for text in texts(number))}


@pytest.mark.slow
@pytest.mark.parametrize("reads_pages", [True, False])
async def test_nothing_is_left_of_whom_is_erased_and_all_of_the_others(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, reads_pages: bool
) -> None:
    if not reads_pages:
        monkeypatch.setattr(scrub, "reads_pages", lambda _: False)
    outbox = open_outbox(f"sqlite:///{path}", rules(remember_s=9_000, remember_max_people=10**6), clock=lambda: NOW)
    chance = random.Random(3)
    numbers = chance.sample(range(MANY), MANY)
    for revision, start in itertools.product((0, 1, 2), range(0, MANY, 50)):
        await change(outbox, *(written(number, revision) for number in numbers[start : start + 50]))
    gone = chance.sample(range(MANY), 1_000)
    await change(outbox, *(PersonChange(key=texts(number)[0], revision=3, record=None) for number in gone))
    assert await outbox.retain(now=NOW, limit=100) == 0
    assert left(path, gone), "a page that is split keeps copies: without them this test proves nothing"
    await outbox.scrub([text for number in gone for text in texts(number)])
    assert left(path, gone) == set()
    assert left(path, numbers) == set(numbers) - set(gone)
    await outbox.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM person").fetchone() == (MANY - len(gone),)


@pytest.mark.slow
async def test_what_a_locked_file_kept_from_being_wiped_is_wiped_by_the_next_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbed: list[set[str]] = []

    def note_and_scrub(file: Path, texts: set[str]) -> None:
        scrubbed.append(set(texts))
        scrub.scrub(file, texts)

    monkeypatch.setattr(people, "scrub", note_and_scrub)
    monkeypatch.setattr(scrub, "reads_pages", lambda _: False)
    for module in (database, scrub):
        monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.1)
    outbox = open_outbox(f"sqlite:///{path}", rules(), clock=lambda: NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxUnavailable, match="locked"):
            await outbox.scrub([digest("em")])
    await outbox.scrub([digest("fn")])
    await outbox.scrub([])  # by then nothing is left to be scrubbed
    assert scrubbed == [{digest("em")}, {digest("em"), digest("fn")}]
    await outbox.close()


@pytest.mark.slow
async def test_wiping_is_done_beside_others_who_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub, "BUSY_TIMEOUT_S", 0.2)
    outbox, other = (open_outbox(f"sqlite:///{path}", rules(), clock=lambda: NOW) for _ in range(2))
    await outbox.enqueue([new() for _ in range(200)], [], [], now=NOW)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN").execute("SELECT count(*) FROM delivery").fetchone()
        await outbox.scrub(["a text that stands nowhere"])
        await other.enqueue([new()], [], [], now=NOW)
    await outbox.scrub(["a text that stands nowhere"])
    assert path.with_name(path.name + "-wal").stat().st_size == 0
    for each in (outbox, other):
        await each.close()


@every_row(
    ("page", "number", "room"),
    [
        (bytes([13, 0, 0, 0, 2, 0, 100, 0]), 2, slice(12, 100)),
        (bytes([10, 0, 0, 0, 0, 0, 0, 0]), 2, slice(8, 65_536)),
        (bytes([5, 0, 0, 0, 3, 1, 0, 0]), 2, slice(18, 256)),
        (bytes(100) + bytes([13, 0, 0, 0, 1, 0, 200, 0]), 1, slice(110, 200)),
        (bytes(8), 2, slice(0, 0)),
    ],
    ids=["leaf of a table", "empty leaf of 64 KiB", "inner page", "the first page", "no page of a tree"],
)
def test_free_room_lies_between_the_pointers_and_the_cells(page: bytes, number: int, room: slice) -> None:
    assert scrub.free_room(page, number) == room


def test_every_text_of_a_person_is_looked_for() -> None:
    body = payload(client_ip_address="203.0.113.9", click_id="dj0y")
    assert set(scrub.personal_texts(body)) == {"0" * 64, "203.0.113.9", "dj0y"}
    assert set(scrub.personal_texts(b'{"user_data": {"em": ["a"], "n": 1}}')) == {"a"}
    assert set(scrub.personal_texts(b"{}")) == set()
