"""Warnings show a received word only where no person can be told from it."""

import base64

import pytest

from app.destination.warnings import shown, shown_number
from tests.rows import every_row

ADDRESS = "a@b.example"


@every_row(
    "written",
    [
        ADDRESS,
        ADDRESS.replace("@", "%40"),
        ADDRESS.replace("@", "%2540"),
        base64.b64encode(ADDRESS.encode()).decode(),
        base64.b64encode(ADDRESS.encode()).decode().rstrip("="),
        b"a@b.co".hex(),
        "jane@",
        "+1 555 0100",
        "x" * 25,
    ],
)
def test_what_may_be_personal_is_told_by_its_kind(written: str) -> None:
    assert shown(written) == f"a text of {len(written)} characters"
    assert written not in shown_number(written)


@pytest.mark.parametrize(("value", "told"), [("web", '"web"'), ("Check Out", '"Check Out"'), (5, "5"), (True, "true")])
def test_a_word_or_number_is_shown(value: object, told: str) -> None:
    assert shown(value) == told
