"""Files made to hurt whoever reads them: the server lives, answers others meanwhile, and nothing of them is left."""

import fcntl
import gzip
import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.process import PLAIN, Server, running
from tests.waiting import slowdown

pytestmark = pytest.mark.whole

LEFT = "pinrelay-rows-left"
HELD = "pinrelay-rows-held"
#: Others are answered within.
ANSWERED_S = 1.0


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder of temporary files, with what one that was killed left, and what another works in."""
    folder = tmp_path_factory.mktemp("temporary") / f"pinrelay-{os.geteuid()}"
    for name in (LEFT, HELD):
        (folder / name / "rows").mkdir(parents=True)
        (folder / name / "in-use").touch()
        (folder / name / "rows" / "database").write_text("orders")
    (folder / "pinrelay-rows-made-just-now").mkdir()
    (folder / "other").mkdir()
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[Server]:
    with (temporary / HELD / "in-use").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with running(tmp_path_factory.mktemp("server"), measured=True, tmpdir=temporary.parent) as server:
            yield server


def in_parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def nested(depth: int) -> Any:
    value: Any = "1"
    for _ in range(depth):
        value = {"a": value}
    return value


def of_one(value: str) -> bytes:
    return b'{"number": 1, "net": ' + value.encode() + b"}\n"


#: Each with the end of its name, and what is told of it; None where it can be read.
HOSTILE: dict[str, tuple[str, Callable[[], bytes], str | None]] = {
    "arrays in arrays": (".json", lambda: b"[" * 500_000 + b"]" * 500_000, "nested deeper than 100 levels"),
    "brackets that nothing closes": (".json", lambda: b"[" * 1_000_000, "unclosed brackets"),
    "objects in objects": (".ndjson", lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than"),
    "a deep value": (".ndjson", lambda: of_one("[" * 400_000 + "]" * 400_000), "nested deeper than 100 levels"),
    "a deep value behind a text": (".jsonl", lambda: of_one(f'"\\\\", "a": {"[" * 300_000}{"]" * 300_000}'), "nested"),
    "brackets in a text": (".ndjson", lambda: of_one(f'25, "note": "{"[" * 500_000}\\""'), None),
    # the scan takes the bad quote for the beginning of a text, so that DuckDB gets what it crashes by
    "brackets behind a bad quote": (".ndjson", lambda: b'"\n' + b"[" * 400_000 + b"]" * 400_000, ""),
    "no parquet": (".parquet", lambda: b"PAR1" + bytes(range(256)) * 4_000 + b"PAR1", "cannot be read"),
    "a foot without end": (".parquet", lambda: b"PAR1" + b"\xff\xff\xff\x7f" * 9 + b"PAR1", "cannot be read"),
    "half a parquet": (".parquet", lambda: in_parquet(number=["1"] * 9_999, net=["2"] * 9_999)[:-900] + b"PAR1", ""),
    "a deep parquet": (".parquet", lambda: in_parquet(number=["1"], net=["2"], deep=[nested(60)]), None),
    "a parquet that packs well": (
        ".parquet",
        lambda: in_parquet(number=["1"] * 500, net=["x" * 300_000] * 500),
        "",
    ),
    "gzip by another name": (".csv", lambda: gzip.compress(b"0" * 50_000_000), "cannot be read"),
    "a row without end": (".csv", lambda: b"number,net\n" + b"x" * 4_000_000 + b",1\n", "cannot be read"),
    "a quote without end": (".csv", lambda: b'number,net\n"' + b"x,\n" * 40_000, ""),
    "columns without end": (".csv", lambda: b",".join(b"c%d" % n for n in range(20_000)) + b"\n1\n", "columns"),
    "a column's name without end": (
        ".csv",
        lambda: b"number,net," + b"x" * 100_000 + b"\n1,2,3\n",
        "column name of more",
    ),
    "keys without end": (".ndjson", lambda: json.dumps({f"k{n}": n for n in range(9_000)}).encode(), ""),
    "nothing but zeros": (".csv", lambda: bytes(1_000_000), ""),
    "another encoding": (".csv", lambda: "number,net\n1,2\n".encode("utf-16"), ""),
    "a number without end": (".ndjson", lambda: of_one("9" * 500_000), ""),
}


class Others:
    """Somebody else, who asks the same server all the while."""

    def __init__(self, server: Server) -> None:
        self._url, self._over = f"{server.url}/readyz", threading.Event()
        self.took: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(**PLAIN) as client:
            while not self._over.wait(0.02):
                began = time.monotonic()
                client.get(self._url, timeout=30).raise_for_status()
                self.took.append(time.monotonic() - began)


def send(server: Server, name: str, file: bytes) -> httpx.Response:
    return httpx.post(
        f"{server.url}/console/revenue/compare",
        files={"file": (name, io.BytesIO(file))},
        data={"order_id": "number", "total": "net"},
        headers={"Origin": server.url},
        timeout=90,
        **PLAIN,
    )


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_hurts_nobody_else(kind: str, server: Server, temporary: Path) -> None:
    suffix, make, told = HOSTILE[kind]
    file = make()
    with Others(server) as others:
        answer = send(server, f"orders{suffix}", file)
    assert answer.status_code in ({200} if told is None else {200, 400} if not told else {400}), answer.text[:2_000]
    assert told is None or told in answer.text
    assert max(others.took) < ANSWERED_S * slowdown()
    assert len(answer.content) < 100_000
    assert {each.name for each in temporary.iterdir()} == {HELD, "pinrelay-rows-made-just-now", "other"}
    assert (temporary / HELD / "rows" / "database").read_text() == "orders"


def test_a_good_file_is_compared_after_all_of_them(server: Server) -> None:
    assert "columns as named: 1 order" in send(server, "orders.csv", b"number,net\n1,2\n").text
