"""Each row of a table is tried, and each that fails is named."""

from pathlib import Path
from typing import Any

import pytest

from tests.rows import every_row

ROWS: list[Any] = [pytest.param(1, 2, id="unequal"), (3, 3), (4, 5)]


def test_each_row_that_fails_is_named_by_its_id_or_its_values() -> None:
    tried = []

    @every_row("a, b", ROWS)
    def they_are_equal(a: int, b: int) -> None:
        tried.append(a)
        assert a == b

    with pytest.raises(ExceptionGroup, match="2 rows fail: unequal; 4, 5") as told:
        they_are_equal()
    assert tried == [1, 3, 4]
    assert [exc.__notes__ for exc in told.value.exceptions] == [["in the row: unequal"], ["in the row: 4, 5"]]


async def test_so_it_is_with_what_is_awaited_and_with_what_should_have_been_raised() -> None:
    @every_row("text", ["1", "x"], ids=["digits", "letters"])
    async def it_is_no_number(text: str) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            int(text)

    with pytest.raises(BaseExceptionGroup, match="1 rows fail: digits"):
        await it_is_no_number()


@every_row("a", [1, 2])
@every_row("b", [3, 4], ids=str)
def test_rows_may_be_of_two_tables_and_share_the_fixtures_of_their_test(a: int, b: int, tmp_path: Path) -> None:
    (tmp_path / f"{a} {b}").touch()
    assert len(list(tmp_path.iterdir())) == 2 * a + b - 4
