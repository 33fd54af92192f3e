"""Sessions in the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.access.sessions import Sessions
from app.outbox import Outbox
from tests.access.stores import NOW, OPERATOR, USERS, users_of

ALL = users_of(*USERS)


async def test_the_store_has_neither_cookie_nor_token(store: Outbox, tmp_path: Path) -> None:
    user = ALL.of_token(OPERATOR)
    assert user is not None
    cookie = await Sessions(store).open(user, now=NOW)
    with closing(sqlite3.connect(tmp_path / "o.db")) as connection:
        row = connection.execute("SELECT * FROM session").fetchone()
    assert row[1] == "ada"
    assert not {cookie, OPERATOR} & set(row)
    assert await Sessions(store).user_of(cookie, ALL, now=NOW) == user


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_text_is_taken_for_a_cookie(store: Outbox, text: str) -> None:
    assert await Sessions(store).user_of(text, ALL, now=NOW) is None
