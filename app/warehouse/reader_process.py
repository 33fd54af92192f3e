"""Read the rows of an untrusted file in a separate process, so that a crash does not affect the server.

The process has no settings, no secrets and no network, limits of memory and time, and leaves no core dump. It writes
its results as lines of JSON:

    the server                  the process, started with the file's name and a folder
                            <-  {"columns": ["Name", ...]}
    ["Name", null, ...]     ->
                            <-  [["#1", null, ...], ...]   some rows, again and again
                            <-  {}                         there are no more

At any time the process may write {"error": "..."} instead. It ends when the server has ended.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import orjson

from app.errors import WarehouseError
from app.warehouse.duckdb_tables import open_rows
from app.warehouse.row_tables import TextTable

#: The number of rows in a line of the process, and the maximum size of a line: a text has 1,000 characters.
_ROWS_A_LINE: Final = 500
_LINE_BYTES: Final = 64_000_000
#: More columns, and longer names, than in any export of a shop.
_MOST_COLUMNS: Final = 2_000
_MOST_CHARACTERS: Final = 300
_MODULE: Final = "app.warehouse.reader_process"
_ROOT: Final = Path(__file__).parents[2]
_ODD_COLUMNS: Final = (
    f"it has more than {_MOST_COLUMNS:,} columns, or a column name of more than {_MOST_CHARACTERS} characters: is "
    "its first line that of the columns?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLimits:
    """The limits of the process. A million orders need 0.4 GB of address space, and 2 s of CPU."""

    address_space_bytes: int = 1 << 30
    cpu_s: int = 120
    #: From its start to its end, including waits.
    wall_s: float = 600


@contextmanager
def open_rows_in_process(where: str, folder: Path, *, limits: ReaderLimits = ReaderLimits()) -> Iterator[TextTable]:
    """Open the rows of a file as `open_rows` does, in a separate process.

    Raises WarehouseError, also if the process crashes or exceeds `limits`.
    """
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", _MODULE, where, str(folder), f"{limits.address_space_bytes}", f"{limits.cpu_s}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it might quote the file
        env={"PYTHONPATH": os.pathsep.join((str(_ROOT), *filter(None, sys.path))), "MALLOC_ARENA_MAX": "2"},
        cwd="/",
    )
    overdue = threading.Timer(limits.wall_s, process.kill)
    overdue.daemon = True
    overdue.start()
    try:
        yield _TextsApart(process, limits)
    finally:
        overdue.cancel()
        process.kill()
        process.wait()
        for pipe in _pipes(process):
            with suppress(OSError):  # unsent data is lost
                pipe.close()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    return cast("tuple[IO[bytes], IO[bytes]]", (process.stdin, process.stdout))


class _TextsApart:
    """The `TextTable` of a process."""

    def __init__(self, process: "subprocess.Popen[bytes]", limits: ReaderLimits) -> None:
        self._process, self._limits = process, limits
        self._asked, self._told = _pipes(process)
        self.columns: Sequence[str] = self._said()["columns"]

    def texts(self, columns: Sequence[str | None]) -> Iterator[Sequence[Sequence[str | None]]]:
        """Yield batches of rows, see `TextTable`."""
        with suppress(OSError):  # it has ended: the next line has the reason
            _say(self._asked, list(columns))
        while rows := self._said():
            yield rows

    def _said(self) -> Any:
        try:
            said = orjson.loads(self._told.readline(_LINE_BYTES))
        except orjson.JSONDecodeError:
            raise WarehouseError(self._why_ended()) from None
        if isinstance(said, dict) and "error" in said:
            raise WarehouseError(said["error"])
        return said

    def _why_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.poll() or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        gigabytes = self._limits.address_space_bytes / (1 << 30)
        return (
            f"reading stopped before the end of the file ({how}): the file is damaged, or needs more than "
            f"{gigabytes:g} GB of memory or {self._limits.cpu_s} s. Export it again, or split it, for example by month"
        )


def write_rows(where: str, folder: Path, asked: IO[bytes], told: IO[bytes]) -> None:
    """Write the content of a file, in the format of the module's docstring."""
    try:
        with open_rows(where, folder) as table:
            if len(table.columns) > _MOST_COLUMNS or max(map(len, table.columns)) > _MOST_CHARACTERS:
                return _say(told, {"error": _ODD_COLUMNS})
            _say(told, {"columns": table.columns})
            wanted = orjson.loads(asked.readline())
            threading.Thread(target=_end_with_the_server, args=(asked,), daemon=True).start()
            for rows in table.texts(wanted):
                for start in range(0, len(rows), _ROWS_A_LINE):
                    _say(told, rows[start : start + _ROWS_A_LINE])
        return _say(told, {})
    except WarehouseError as exc:
        return _say(told, {"error": str(exc)})


def _say(told: IO[bytes], value: Any) -> None:
    told.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    told.flush()


def _end_with_the_server(asked: IO[bytes]) -> None:
    """End the process when its input is closed."""
    asked.read()
    os._exit(1)


def _bound_itself(address_space_bytes: int, cpu_s: int) -> None:
    """Set the limits of this process, lower its priority, and disable core dumps."""
    for what, most in (
        (resource.RLIMIT_AS, address_space_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of address space
            resource.setrlimit(what, (most, most))
    os.nice(10)


if __name__ == "__main__":
    _bound_itself(int(sys.argv[3]), int(sys.argv[4]))
    write_rows(sys.argv[1], Path(sys.argv[2]), sys.stdin.buffer, sys.stdout.buffer)
