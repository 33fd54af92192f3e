"""Rows of files and databases: as texts of the columns that are asked for, and whole by a cursor."""

import gzip
import json
import secrets
import sqlite3
import sys
import traceback
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.errors import SettingsError, WarehouseError
from app.warehouse import RowTable, append_rows, open_duck, open_rows
from app.warehouse.duckdb_tables import DuckTable
from tests.outbox.postgres_server import PostgresServer

ROWS: list[dict[str, Any]] = [
    {"id": "1", "total": 2.5, "at": "2026-11-25"},
    {"id": "02", "total": 4, "at": "2026-11-26"},
]
CSV = "id,total,at\n1,2.5,2026-11-25\n02,4,2026-11-26\n"
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS)
FILES: dict[str, bytes] = {
    "rows.csv": CSV.encode(),
    "rows.csv.gz": gzip.compress(CSV.encode()),
    "rows.tsv": CSV.replace(",", "\t").encode(),
    "rows.ndjson": LINES.encode(),
    "rows.jsonl": LINES.encode(),
    "rows.json": json.dumps(ROWS).encode(),
}


def all_of(table: RowTable, *columns: str | None) -> list[tuple[str | None, ...]]:
    return [tuple(row) for rows in table.texts(columns) for row in rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spilled"


@pytest.mark.parametrize("name", [*FILES, "rows.parquet", "it's.csv"])
def test_a_file_is_read_by_the_end_of_its_name(tmp_path: Path, folder: Path, name: str) -> None:
    file = tmp_path / name
    if name == "rows.parquet":
        with open_duck(folder) as duck:
            duck.execute(f"COPY (SELECT * FROM (VALUES ('1', 2.5), ('02', 4)) AS t (id, total)) TO '{file}'").fetchall()
    else:
        file.write_bytes(FILES.get(name, CSV.encode()))
    with open_rows(str(file), folder) as table:
        read = all_of(table, "id", None, "total")
        assert [(id_, nothing, float(total or 0)) for id_, nothing, total in read] == [
            ("1", None, 2.5),
            ("02", None, 4.0),
        ]
        assert table.columns[:2] == ("id", "total")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_csv_is_read_in_its_encoding(tmp_path: Path, folder: Path, encoding: str, *, packed: bool) -> None:
    file, data = tmp_path / "rows.csv", "id,city\n1,Köln\n2,Århus\n".encode(encoding)
    if packed:
        file, data = tmp_path / "rows.csv.gz", gzip.compress(data)
    file.write_bytes(data)
    with open_rows(str(file), folder) as table:
        assert all_of(table, "id", "city") == [("1", "Köln"), ("2", "Århus")]


@pytest.mark.parametrize(("encoding", "line"), [("cp1252", 3), ("utf-16-be", 1), ("cp437", 3)])
def test_a_csv_in_another_encoding_is_refused_with_its_line(
    tmp_path: Path, folder: Path, encoding: str, line: int
) -> None:
    text = f"id,total\n1,5\n2,{'€' if encoding == 'cp1252' else 'ü'}\n"
    (tmp_path / "rows.csv").write_bytes(text.encode(encoding))
    rows = open_rows(str(tmp_path / "rows.csv"), folder)
    with pytest.raises(WarehouseError, match=f"^line {line} is neither UTF-8 nor Latin-1"), rows:
        raise AssertionError("the file was opened")


@pytest.mark.parametrize(("name", "times"), [("rows.csv", 1), ("rows.csv.gz", 2)])
def test_a_compressed_csv_without_its_ending_is_refused(tmp_path: Path, folder: Path, name: str, times: int) -> None:
    data = b"id,total\n1,5\n"
    for _ in range(times):
        data = gzip.compress(data)
    (tmp_path / name).write_bytes(data)
    rows = open_rows(str(tmp_path / name), folder)
    with pytest.raises(WarehouseError, match=r"gzip compressed it: add \.gz to its name$"), rows:
        raise AssertionError("the file was opened")


def test_whole_rows_come_by_a_cursor_from_a_value_on(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,at\n3,2026-11-27\n1,2026-11-25\n2,2026-11-26\n4,\n")
    with open_rows(str(file), folder) as table:
        batches = list(table.batches("at", None, limit=2))
        assert [batch.cursors for batch in batches] == [["2026-11-25", "2026-11-26"], ["2026-11-27"]]
        assert json.loads(batches[0].rows[0]) == {"id": "1", "at": "2026-11-25"}
        (later,) = table.batches("at", "2026-11-26", limit=10)
        assert later.cursors == ["2026-11-26", "2026-11-27"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.ndjson", "rows.json"])
@pytest.mark.parametrize(
    ("before", "highest", "later"),
    [
        (["9", "98"], "98", "101"),
        (["2026-10-24", "2026-10-25T02:30:00+02:00"], "2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00"),
        (["01A", "01Z"], "01Z", "02A"),
    ],
)
def test_a_cursor_that_is_written_as_text_grows_as_what_it_says(
    tmp_path: Path, folder: Path, name: str, before: list[str], highest: str, later: str
) -> None:
    file, texts = tmp_path / name, [later, *before, ""]
    rows = [{"at": int(text) if text.isdecimal() else text or None} for text in texts]
    lines = {"rows.csv": "\n".join(("at", *texts)), "rows.json": json.dumps(rows)}
    file.write_text(lines.get(name) or "".join(f"{json.dumps(row)}\n" for row in rows))
    with open_rows(str(file), folder) as table:
        (all_rows,) = table.batches("at", None, limit=10)
        assert all_rows.cursors == [*before, later]
        (new,) = table.batches("at", highest, limit=10)
        assert new.cursors == [highest, later]


def test_json_is_read_as_it_stands_there(tmp_path: Path, folder: Path) -> None:
    """Of several kinds in one column, of a kind that DuckDB would guess, and with what only a late row has."""
    file, many = tmp_path / "rows.ndjson", [{"id": number, "total": 1} for number in range(25_000)]
    ids = ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "2026-1-5", "007", 7, None]
    odd = [{"id": id_, "total": "2.50", "made": "2026-11-20T10:00:00+02:00", "of": {"id": "X"}} for id_ in ids]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (*many, *odd)))
    with open_rows(str(file), folder) as table:
        expected = [(id_ and str(id_), "2.50", "2026-11-20T10:00:00+02:00") for id_ in ids]
        assert all_of(table, "id", "total", "made")[-5:] == expected
        rows = [json.loads(row) for batch in table.batches("total", "2", limit=10_000) for row in batch.rows]
        assert sorted(rows, key=str) == sorted(odd, key=str)


def test_a_query_says_what_it_reads(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "rows.ndjson").write_text(LINES)
    query = f"SELECT id, '2026-11-26'::TIMESTAMP AS made FROM read_json('{tmp_path}/rows.ndjson') WHERE total > 3;"
    with open_rows("", folder, query=query) as table:
        (batch,) = table.batches("made", "2026-11-26 00:00:00", limit=10)
        assert [json.loads(row)["id"] for row in batch.rows] == ["02"]


@pytest.mark.slow
def test_values_of_sqlite_stay_as_they_stand_there(tmp_path: Path, folder: Path) -> None:
    """Whatever their columns are declared as, and ordered by what they say."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(
            "CREATE TABLE orders (id INTEGER, total DECIMAL(10, 2), at INTEGER);"
            "INSERT INTO orders VALUES (1, 2.5, 9), ('A-2', 'free', 10), (3, '', NULL)"
        )
    with open_rows(f"sqlite://{tmp_path}/shop.db", folder, query="SELECT * FROM orders") as table:
        assert all_of(table, "id", "total") == [("1", "2.5"), ("A-2", "free"), ("3", "")]
        (batch,) = table.batches("at", "9", limit=10)
        assert batch.cursors == ["9", "10"]


def test_a_postgresql_is_read_by_its_own_client(postgres_server: PostgresServer, folder: Path) -> None:
    url = postgres_server.create("warehouse")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE orders (id int, total numeric, at timestamptz)")
        connection.execute("INSERT INTO orders VALUES (1, 2.50, '2026-11-25Z'), (2, 4, '2026-11-26Z'), (3, 5, NULL)")
    with open_rows(url, folder, query="SELECT * FROM orders WHERE id::text NOT LIKE '9%'") as table:
        assert table.columns == ("id", "total", "at")
        assert all_of(table, "id", None, "total") == [("1", None, "2.50"), ("2", None, "4"), ("3", None, "5")]
        first, second = table.batches("at", None, limit=1)
        assert json.loads(first.rows[0])["total"] == 2.5
        (later,) = table.batches("at", second.cursors[0], limit=10)
        assert later == second
    faults = {
        "SELECT * FROM nowhere": 'relation "nowhere" does not exist',
        "DELETE FROM orders RETURNING id": "syntax error",
    }
    for query, told in faults.items():
        with pytest.raises(WarehouseError, match=told), open_rows(url, folder, query=query):
            pass
    with (
        pytest.raises(WarehouseError, match=r"\(InvalidTextRepresentation\)\. Check"),
        open_rows(url, folder, query="SELECT 'ann@shop.example'::int AS x") as table,
    ):
        all_of(table, "x")


@pytest.mark.parametrize(
    ("where", "query", "told"),
    [
        ("orders.xlsx", None, "the name of the file must end with one of .csv, .tsv, .parquet"),
        ("nowhere.csv", None, "there is no such file"),
        ("", "SELEC 1", r"the rows cannot be read \(Parser\): Parser Error: syntax error"),
        ("postgresql://nobody@127.0.0.1:1/none", None, "a database needs --query"),
        ("postgresql://u:s3cret@127.0.0.1:1/none", "SELECT 1", r"the database cannot be read \(OperationalError\)\."),
        ("", "SELECT * FROM 'https://127.0.0.1:1/orders?token=s3cret'", r"cannot be read \(Catalog\)\. Look at"),
        ("", "SELECT * FROM read_csv('a' 's3://shop/a.csv?s3_session_token=s3cret')", r"read \(Parser\)\. Look at"),
        ("https://u:s3cret@shop.example\N{ACCOUNT OF}/orders", None, "the name of the file must end with"),
        ("https://[u:s3cret@shop.example/orders", None, "the name of the file must end with"),
        (f"HTTPS://shop.example/s3cret{'s' * 300}.csv", None, "there is no such file"),
        (f"sqlite://s3cret{'s' * 300}", "SELECT 1", "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_told_without_what_stands_in_it(
    folder: Path, where: str, query: str | None, told: str
) -> None:
    """Nor what is secret in an address."""
    with pytest.raises(WarehouseError, match=told) as raised, open_rows(where, folder, query=query):
        pass
    assert "s3cret" not in "".join(traceback.format_exception(raised.value))


def test_a_broken_file_is_told_without_what_stands_in_it(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "rows.ndjson"
    file.write_text(LINES * 20_000 + '{"id": "ann@shop.example"\n')
    with pytest.raises(WarehouseError) as raised, open_rows(str(file), folder) as table:
        all_of(table, "id")
    assert "ann@" not in str(raised.value)
    nothing = pytest.raises(WarehouseError, match='there is no column "no"; there are: a')
    with nothing, open_rows("", folder, query="SELECT 1 AS a") as table:
        all_of(table, "no")


def test_a_file_alone_is_reached_and_nothing_beside_it(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(CSV)
    (tmp_path / "other.csv").write_text(CSV)
    package = find_spec("duckdb_extension_httpfs")
    assert package is not None
    (extension,) = Path(str(package.origin)).parent.rglob("*.duckdb_extension")
    with open_duck(folder, only=file) as duck:
        import duckdb  # noqa: PLC0415 - an extra

        assert duck.execute(f"SELECT count(*) FROM read_csv('{file}')").fetchall() == [(2,)]
        for reach in (
            f"SELECT * FROM read_csv('{tmp_path}/other.csv')",
            "SELECT * FROM read_csv('/etc/passwd')",
            f"ATTACH '{tmp_path}/new.db'",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET enable_external_access = true",
            f"LOAD '{extension}'",
            "LOAD httpfs",
            "INSTALL httpfs",
            "SELECT * FROM read_csv('https://shop.example/orders.csv')",
            "SELECT * FROM read_csv('s3://shop/orders.csv')",
            f"SELECT * FROM sqlite_scan('{tmp_path}/other.csv', 'orders')",
            f"ATTACH '{tmp_path}/other.csv' AS other (TYPE sqlite)",
        ):
            with pytest.raises(duckdb.Error):
                duck.execute(reach)
        assert not (tmp_path / "out.csv").exists()


def test_more_than_memory_holds_has_a_remedy_of_its_own(folder: Path) -> None:
    with (
        pytest.raises(WarehouseError, match=r"more than DuckDB has of memory.* Split the file"),
        open_duck(folder) as duck,
    ):
        duck.execute("SELECT list(i) FROM range(100_000_000) AS t (i)").fetchall()


@pytest.mark.slow
def test_a_small_file_that_decompresses_to_much_fills_no_disk(tmp_path: Path, folder: Path) -> None:
    """Neither by what DuckDB writes to sort it, nor by rows that are kept; nor does a text fill memory."""
    file = tmp_path / "packed.parquet"
    with open_duck(folder) as duck:
        rows = "SELECT repeat('x', 5000) || i AS made FROM range(50_000) AS t (i)"
        duck.execute(f"COPY ({rows}) TO '{file}' (COMPRESSION zstd, ROW_GROUP_SIZE 2048)").fetchall()
    assert file.stat().st_size < 5_000_000
    room = 10_000_000

    def written() -> int:
        return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())

    full = pytest.raises(WarehouseError, match=r"quarter of what is free. Split the file, such as by month")
    with full, open_duck(folder, only=file, room_bytes=room) as duck:
        list(DuckTable(duck, f"SELECT * FROM '{file}'").batches("made", None, limit=1_000))
    assert written() < 1.2 * room
    with full, open_duck(folder, only=file, room_bytes=room) as duck:
        table = DuckTable(duck, f"SELECT * FROM '{file}'")
        duck.execute("CREATE TABLE kept (row BIGINT, made VARCHAR)").fetchall()
        for texts in table.texts(["made"]):
            assert {len(text or "") for (text,) in texts} == {1_000}
            append_rows(
                duck,
                "kept",
                {"row": "BIGINT", "made": "VARCHAR"},
                [(n, secrets.token_hex(500)) for n, _ in enumerate(texts)],
            )
    assert written() < room + 30_000_000  # and what is not checkpointed yet


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("duckdb", "psycopg", "app.warehouse.postgres_tables"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_extras")
@pytest.mark.parametrize(("where", "extra"), [("o.csv", "files"), ("postgresql://h/d", "postgres")])
def test_without_the_extra_it_says_which(folder: Path, where: str, extra: str) -> None:
    told = rf"pip install 'pinrelay\[{extra}\]'"
    with pytest.raises(SettingsError, match=told), open_rows(where, folder, query="SELECT 1"):
        pass
