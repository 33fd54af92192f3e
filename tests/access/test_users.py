"""The tokens that are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.users import UserRole
from app.errors import SettingsError
from tests.access.stores import OPERATOR, PASSWORD, USERS, VIEWER, users_of
from tests.rows import every_row

ALL = users_of(*USERS, password=PASSWORD)


@pytest.mark.parametrize(
    ("token", "name", "role"),
    [
        (OPERATOR, "ada", UserRole.OPERATOR),
        (VIEWER, "bob", UserRole.VIEWER),
        (PASSWORD, "console", UserRole.OPERATOR),
    ],
)
def test_a_token_has_a_name_and_a_role_the_lesser_where_none_is_named(token: str, name: str, role: UserRole) -> None:
    user = ALL.of_token(token)
    assert user is not None
    assert (user.name, user.role, ALL.named(name)) == (name, role, user)


@given(st.text())
def test_any_other_text_is_nobodys(text: str) -> None:
    assert ALL.of_token(text) is None or text in {OPERATOR, VIEWER, PASSWORD}


@every_row(
    ("texts", "told"),
    [
        (("ada",), "write each as"),
        (("ada:",), "write each as"),
        ((":operator:t",), "write each as"),
        (("ada:operator:t:u",), "write each as"),
        (("ada:operater:secret-token",), "the role of ada must be one of viewer, operator"),
        (("ada:t", "ada:u"), "two users are named ada"),
        (("console:t",), "two users are named console"),
    ],
)
def test_what_cannot_be_read_is_told_without_a_token(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        users_of(*texts, password=PASSWORD)
    assert "secret" not in str(caught.value)


def test_whether_there_is_anybody() -> None:
    assert (bool(users_of()), bool(users_of("ada:t")), bool(users_of(password="p"))) == (False, True, True)


def test_a_token_is_not_shown() -> None:
    assert OPERATOR not in repr(ALL.of_token(OPERATOR))
