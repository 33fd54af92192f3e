"""Tables whose rows are cheap: one test goes through them all, and names each row that fails.

A row that is a test costs 3 ms: four processes collect it, one runs and reports it.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from tests.monitoring import begin_test

#: What a row that fails raises; `pytest.raises` that finds nothing raises the second.
_FAILS = (Exception, pytest.fail.Exception)


def every_row(
    names: str | Sequence[str], rows: Iterable[Any], *, ids: Iterable[object] | Callable[[Any], object] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call a test for each row, in one test: `pytest.mark.parametrize`, which this is written as, makes one of each.

    Rows share the test's fixtures. A failure names each row that fails, by its id or its values.
    """
    told = ids if ids is None or callable(ids) else list(ids)
    split = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [
        (_id(number, row, told), dict(zip(split, _values(row, split), strict=True))) for number, row in enumerate(rows)
    ]

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(test):

            @functools.wraps(test)
            async def all_rows(**given: Any) -> None:
                failed: list[BaseException] = []
                for row, values in _begun(table):
                    try:
                        await test(**given, **values)
                    except _FAILS as exc:
                        failed.append(_named(exc, row))
                _fail(failed)
        else:

            @functools.wraps(test)
            def all_rows(**given: Any) -> None:
                failed: list[BaseException] = []
                for row, values in _begun(table):
                    try:
                        test(**given, **values)
                    except _FAILS as exc:
                        failed.append(_named(exc, row))
                _fail(failed)

        signature = inspect.signature(test)
        fixtures = [each for name, each in signature.parameters.items() if name not in split]
        all_rows.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined] # pytest reads it
        return all_rows

    return decorate


def _begun(table: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    assert table, "a table without a row"
    for row in table:
        begin_test()
        yield row


def _values(row: Any, names: list[str]) -> Sequence[Any]:
    if isinstance(row, ParameterSet):
        assert not row.marks, "a row with a mark is a test: use pytest.mark.parametrize"
        return row.values
    return (row,) if len(names) == 1 else row


def _id(number: int, row: Any, ids: Sequence[object] | Callable[[Any], object] | None) -> str:
    if isinstance(row, ParameterSet):
        if isinstance(row.id, str):
            return row.id
        row = row.values
    if ids is not None and not callable(ids):
        return str(ids[number])
    values = row if isinstance(row, tuple) else (row,)
    return ", ".join(str((ids and ids(value)) or repr(value))[:200] for value in values)


def _named(exc: BaseException, row: str) -> BaseException:
    exc.add_note(f"in the row: {row}")
    return exc


def _fail(failed: list[BaseException]) -> None:
    if failed:
        rows = "; ".join(exc.__notes__[-1].removeprefix("in the row: ") for exc in failed)
        raise BaseExceptionGroup(f"{len(failed)} rows fail: {rows}", failed)
