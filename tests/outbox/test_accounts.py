"""What people did, and who has logged in."""

import pytest

from app.core.pages import AuditAction, Session
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, audited

SESSION = Session(digest="d" * 64, who="ada", seal="s" * 64, ends_at=NOW + HOUR_S)


async def test_what_was_done_is_shown_newest_first_with_all_that_is_known(at: At) -> None:
    entries = [audited(at=NOW + n, what=what, target=f"\u00e9{n}") for n, what in enumerate(AuditAction)]
    for entry in entries:
        await at.outbox.write_audit(entry)
    page = await at.outbox.audit(limit=100)
    assert (page.entries, page.next_cursor) == (tuple(reversed(entries)), None)


async def test_a_cursor_leads_to_the_older_ones(at: At) -> None:
    for n in range(5):
        await at.outbox.write_audit(audited(target=str(n)))
    shown, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = await at.outbox.audit(limit=2, cursor=cursor)
        shown += [entry.target for entry in page.entries]
        cursor, pages = page.next_cursor, pages + 1
    assert (shown, pages) == (["4", "3", "2", "1", "0"], 3)


async def test_what_was_done_to_one_target_is_listed_alone(at: At) -> None:
    for target in ("preset A", "preset B", "preset A", "preset A"):
        await at.outbox.write_audit(audited(target=target))
    page = await at.outbox.audit(limit=2, target="preset A")
    assert [entry.target for entry in page.entries] == ["preset A", "preset A"]
    older = await at.outbox.audit(limit=2, cursor=page.next_cursor, target="preset A")
    assert ([entry.target for entry in older.entries], older.next_cursor) == (["preset A"], None)
    assert (await at.outbox.audit(limit=2, target="")).entries == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1", "9" * 40], ids=repr)
async def test_a_cursor_that_is_none_begins_at_the_newest(at: At, cursor: str) -> None:
    await at.outbox.write_audit(audited())
    assert len((await at.outbox.audit(limit=10, cursor=cursor)).entries) == 1


async def test_a_text_with_nul_is_kept_without_it(at: At) -> None:
    await at.outbox.write_audit(audited(target="a\0b"))
    assert (await at.outbox.audit(limit=1)).entries[0].target == "a\ufffdb"


async def test_a_session_is_found_by_its_digest_until_its_time_is_over(at: At) -> None:
    await at.outbox.open_session(SESSION)
    assert await at.outbox.session(SESSION.digest, now=NOW) == SESSION
    assert await at.outbox.session(SESSION.digest, now=NOW + HOUR_S - 1) == SESSION
    assert await at.outbox.session(SESSION.digest, now=NOW + HOUR_S) is None
    assert await at.outbox.session("e" * 64, now=NOW) is None


async def test_a_session_that_was_ended_is_over_and_may_be_ended_again(at: At) -> None:
    await at.outbox.open_session(SESSION)
    for _ in range(2):
        await at.outbox.end_session(SESSION.digest)
        assert await at.outbox.session(SESSION.digest, now=NOW) is None


async def test_both_are_forgotten_when_their_time_is_over(at: At) -> None:
    await at.outbox.write_audit(audited())
    await at.outbox.write_audit(audited(at=NOW + DAY_S))
    await at.outbox.open_session(SESSION)
    await at.outbox.retain(now=NOW + HOUR_S - 1, limit=100)
    assert await at.outbox.session(SESSION.digest, now=NOW)
    await at.outbox.retain(now=NOW + HOUR_S, limit=100)
    assert await at.outbox.session(SESSION.digest, now=NOW) is None
    await at.outbox.retain(now=NOW + 365 * DAY_S - 1, limit=100)
    assert len((await at.outbox.audit(limit=10)).entries) == 2
    await at.outbox.retain(now=NOW + 365 * DAY_S, limit=100)
    assert len((await at.outbox.audit(limit=10)).entries) == 1
