"""Files that are read by a process of its own: what it says, what it may take, and what is left once it is gone."""

import gzip
import io
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import WarehouseError
from app.warehouse import clear_leftovers, duckdb_tables, open_rows, reader_process, temporary_folder
from app.warehouse.duckdb_tables import MAX_JSON_DEPTH, require_shallow
from app.warehouse.reader_process import ReaderLimits, open_rows_in_process, write_rows
from tests.rounds import examples

ROWS = "".join(f"{number},{number / 4},\n" for number in range(1_200))
#: It takes DuckDB some seconds.
SLOW = "number,net\n" + "1,2\n" * 3_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_text(f"number,net,note\n{ROWS}")
    return file


def test_a_process_of_its_own_reads_what_this_one_reads(file: Path, tmp_path: Path) -> None:
    asked = ["net", None, "number"]
    with open_rows(str(file), tmp_path / "here") as table, open_rows_in_process(str(file), tmp_path / "there") as apart:
        assert list(apart.columns) == list(table.columns)
        read = [tuple(row) for rows in apart.texts(asked) for row in rows]
        assert read == [tuple(row) for rows in table.texts(asked) for row in rows]
    assert len(read) == 1_200


def said(file: Path, folder: Path, asked: bytes = b"") -> list[object]:
    told = io.BytesIO()
    write_rows(str(file), folder, io.BytesIO(asked), told)
    return [orjson.loads(line) for line in told.getvalue().splitlines()]


def test_what_it_says_is_lines_of_json(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_process, "_end_with_the_server", lambda _: None)
    first, *some, last = said(file, tmp_path / "rows", b'["number", null]\n')
    assert (first, last) == ({"columns": ["number", "net", "note"]}, {})
    assert [len(rows) for rows in some if isinstance(rows, list)] == [500, 500, 200]
    file.write_text("")
    assert said(file, tmp_path / "rows") == [{"error": "the file is empty and has no columns: export it again"}]
    file.write_text(f"number,{'x' * 301}\n1,2\n")
    assert "a column name of more than 300 characters" in str(said(file, tmp_path / "rows"))


def test_it_ends_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    reader_process._end_with_the_server(io.BytesIO(b"more"))
    assert codes == [1]


def test_it_bounds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", bounds.__setitem__)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    reader_process._bound_itself(5, 6)
    assert bounds == {resource.RLIMIT_AS: (5, 5), resource.RLIMIT_CPU: (6, 6), resource.RLIMIT_CORE: (0, 0)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "how"),
    [
        (ReaderLimits(cpu_s=1), "SIGKILL"),
        (ReaderLimits(wall_s=0.5), "SIGKILL"),
        (ReaderLimits(address_space_bytes=60_000_000), "exit code"),
    ],
)
def test_what_takes_more_than_it_may_is_ended(limits: ReaderLimits, how: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(SLOW)
    with (
        pytest.raises(WarehouseError, match=f"stopped before the end of the file .{how}"),
        open_rows_in_process(str(file), tmp_path / "rows", limits=limits) as table,
    ):
        assert sum(map(len, table.texts(["number"] * 30))) == 0


@pytest.mark.slow
def test_one_that_is_killed_leaves_nothing(file: Path, temporary: Path) -> None:
    with temporary_folder() as folder, open_rows_in_process(str(file), folder / "rows") as table:
        assert (folder / "rows").exists()
        process = process_of(table)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(WarehouseError, match="SIGKILL"):
            list(table.texts(["number"]))
    assert list(folder.parent.iterdir()) == []


def process_of(table: object) -> "subprocess.Popen[bytes]":
    """The process behind a table."""
    process = vars(table)["_process"]
    assert isinstance(process, subprocess.Popen)
    return process


@pytest.mark.slow
def test_it_has_no_secrets(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINTEREST_CONVERSION_TOKEN", "pina-secret")
    with open_rows_in_process(str(file), tmp_path / "rows") as table:
        environment = Path(f"/proc/{process_of(table).pid}/environ").read_bytes()
    assert sorted(each.partition(b"=")[0] for each in environment.split(b"\0") if each) == [
        b"MALLOC_ARENA_MAX",
        b"PYTHONPATH",
    ]


def test_a_folder_in_use_is_no_leftover(temporary: Path) -> None:
    with temporary_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        left = folder.with_name("pinrelay-rows-left")
        left.mkdir()
        (left / "in-use").touch()
        (left / "orders.csv").write_text("orders")
        assert clear_leftovers() == 1
        assert list(folder.parent.iterdir()) == [folder]
    assert clear_leftovers() == 0


def test_leftovers_are_looked_for_in_a_folder_of_our_own(temporary: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == temporary / f"pinrelay-{os.geteuid()}"
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    (temporary / "pinrelay-rows-of-another-program").mkdir()
    (temporary / "pinrelay-rows-of-another-program" / "in-use").touch()
    assert clear_leftovers() == 0


@pytest.mark.parametrize("take", [Path.touch, lambda path: path.symlink_to("/etc"), Path.mkdir])
def test_where_somebody_else_took_its_name_the_temporary_folder_serves(
    take: Callable[[Path], None], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = os.geteuid()
    take(temporary / f"pinrelay-{user + 1}")
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with temporary_folder() as folder:
        assert folder.parent == temporary


def test_a_folder_of_somebody_else_is_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / "pinrelay-12345").touch()
    (temporary / "pinrelay-rows-other").mkdir()
    (temporary / "pinrelay-rows-other" / "in-use").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert clear_leftovers() == 0
    assert len(list(temporary.iterdir())) == 2


# Depth

JSON = st.recursive(
    st.text(alphabet='ab"\\[]{}\n\u00e9', max_size=6) | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(st.lists(JSON, min_size=1, max_size=4), st.integers(1, 9), st.sampled_from([None, " "]))
@settings(max_examples=examples(400))
def test_depth_is_that_of_the_values_however_they_are_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], at_once: int, indent: str | None
) -> None:
    file = tmp_path_factory.getbasetemp() / "depth.json"
    file.write_text("\n".join(json.dumps(value, indent=indent, ensure_ascii=False) for value in values))
    deepest = max(map(depth_of, values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_tables, "_AT_ONCE", at_once)
        patch.setattr(duckdb_tables, "MAX_JSON_DEPTH", deepest)
        require_shallow(str(file))
        patch.setattr(duckdb_tables, "MAX_JSON_DEPTH", deepest - 1)
        with pytest.raises(WarehouseError) if deepest else pytest.MonkeyPatch.context():
            require_shallow(str(file))


@pytest.mark.parametrize("name", ["deep.json", "deep.ndjson.gz", "deep.JSONL"])
def test_depth_is_bounded_in_each_form_of_json_alone(tmp_path: Path, name: str) -> None:
    file, text = tmp_path / name, (b"[" * (MAX_JSON_DEPTH + 1))
    file.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(WarehouseError, match="nested deeper than 100 levels"):
        require_shallow(str(file))
    file.rename(tmp_path / "deep.csv")
    require_shallow(str(tmp_path / "deep.csv"))


def test_gzip_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "o.json.gz").write_bytes(b"{}")
    with pytest.raises(WarehouseError, match="BadGzipFile"):
        require_shallow(str(tmp_path / "o.json.gz"))
