"""A PostgreSQL server for tests: a folder of its own, an ephemeral port of the loopback, every commit synced."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.disks import fast_folder
from tests.outbox.build import NOW
from tests.outbox.warm_connections import WarmConnections
from tests.process import free_port
from tests.rounds import LEVEL

#: Debian keeps each version in a folder of its own.
_FOLDERS = "/usr/lib/postgresql/*/bin"
OLDEST_POSTGRES = 15
_START_S = 30
_SETTINGS = """
fsync = on
shared_buffers = 64MB
unix_socket_directories = ''
listen_addresses = '127.0.0.1'
max_wal_size = 1GB
dynamic_shared_memory_type = mmap
"""

#: The day at which nearly all tests begin, as tables of days are named.
_DAY = f"{datetime.fromtimestamp(NOW, UTC):%Y%m%d}"
#: Makes a store new: nobody is connected, no row, no table of another day, and numbers begin again.
#: To drop the tables of the day, have the next test make them, and truncate small tables would take as long as a test.
#: What was analysed is truncated, so that no plan is made of what another test did.
_EMPTY = f"""DO $$
DECLARE tables text; filled record;
BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL('{{%s}}');
  SELECT string_agg(inhrelid::regclass::text, ', ') INTO tables
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'r' AND relname NOT LIKE '%{_DAY}';
  IF tables IS NOT NULL THEN EXECUTE 'DROP TABLE ' || tables; END IF;
  FOR filled IN
    SELECT oid::regclass AS name, reltuples >= 0 OR pg_relation_size(oid) > 65536 AS is_large FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
      AND relname NOT IN ('store_version', 'probe')
  LOOP
    EXECUTE CASE WHEN filled.is_large THEN 'TRUNCATE ' ELSE 'DELETE FROM ' END || filled.name;
  END LOOP;
  PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
END $$"""


def program(name: str) -> Path | None:
    """Return the newest program of this name that is new enough; None where there is none."""
    found = [Path(path) for path in [shutil.which(name)] if path]
    found += [folder / name for folder in Path("/").glob(_FOLDERS.lstrip("/"))]
    versions = {path: _major(path) for path in found if path.exists()}
    newest = max(versions, key=lambda path: versions[path], default=None)
    return newest if newest and versions[newest] >= OLDEST_POSTGRES else None


def _major(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)\.", said)
    return int(match[1]) if match else 0


class PostgresServer:
    """Started on entry, stopped on exit; `kill` and `start` in between lose nothing that it answered."""

    def __init__(
        self, *, on_disk: bool = False, copy_of: "PostgresServer | None" = None, tables_on: Path | None = None
    ) -> None:
        self.port = free_port()
        folder = None if on_disk else fast_folder()
        self._folder = Path(tempfile.mkdtemp(prefix="pinrelay-postgres-", dir=folder))
        #: Tables may have a disk of their own, the write-ahead log beside which is never full.
        self._data = (tables_on or self._folder) / "data"
        self._environment: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": os.defpath}}
        if os.geteuid() == 0:  # the server refuses to be run by root
            shutil.chown(self._folder, "postgres")
            self._environment |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        if copy_of:
            self._run("pg_basebackup", "-D", self._data, "-d", copy_of.url(), "--write-recovery-conf", "--no-sync")
        else:
            options = ("-U", "postgres", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-X", self._folder / "wal")
            self._run("initdb", "-D", self._data, *options)
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"{_SETTINGS}port = {self.port}\n")
        self._counter = itertools.count(1)
        self.process: subprocess.Popen[bytes] | None = None
        #: Makes and drops databases; a connection of its own for each would take longer than that.
        self._maker: psycopg.Connection[Any] | None = None
        #: Stores that wait for the next test, each with a connection that empties it.
        self._stores: list[tuple[str, psycopg.Connection[Any]]] = []
        self._warm = WarmConnections()

    def _run(self, name: str, *arguments: object) -> None:
        subprocess.run(self._command(name, *arguments), check=True, capture_output=True, **self._environment)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database of its."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> str:
        """All that it has printed."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def _command(self, name: str, *arguments: object) -> list[str]:
        path = program(name)
        assert path, f"there is no {name}: .ci/install-test-tools says how to get one"
        return [str(path), *map(str, arguments)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        assert LEVEL != "quick", "`make quick` starts no server: mark the test `whole`"
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("postgres", "-D", self._data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._environment,
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start:\n{self.log}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End it; whoever is connected is cut off."""
        self._end(signal.SIGINT)

    def ask_password(self, user: str, password: str) -> None:
        """Make a user that must give a password; all others need none."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self._manage(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        self._manage("SELECT pg_reload_conf()")

    def signal(self, number: int) -> None:
        """Send a signal to every process of it."""
        if self.process is not None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            pids = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
            self.process.send_signal(number)
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def kill(self) -> None:
        """End it as a crash does: every process of it."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self._end(signal.SIGKILL)
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _end(self, number: int) -> None:
        if self._maker is not None:
            self._maker.close()
            self._maker = None
        for _, connection in self._stores:
            connection.close()
        self._warm.close()
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, as a copy of another one, and return its URL."""
        # Files are copied in half the time of what PostgreSQL does by itself, which is meant for larger ones.
        self._manage(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(database)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database for a while, and give its URL."""
        name = f"test_{next(self._counter)}"
        url = self.create(name, template)
        try:
            yield url
        finally:
            self._manage(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def store(self, template: str) -> Iterator[str]:
        """Lend a copy of a store that is empty, and give its URL. To empty it again takes less than to make another."""
        if not self._stores:
            url = self.create(f"test_{next(self._counter)}", template)
            self._stores.append((url, psycopg.connect(url, autocommit=True)))
        url, connection = self._stores.pop()
        with self._warm.used():
            yield url
        kept = ",".join(map(str, self._warm.pids))
        connection.execute(_EMPTY.replace("%s", kept).encode())
        self._stores.append((url, connection))

    def _manage(self, statement: str) -> None:
        if self._maker is None or self._maker.closed:
            self._maker = psycopg.connect(self.url(), autocommit=True)
        self._maker.execute(statement.encode())

    def files(self, database: str) -> dict[str, bytes]:
        """Return the files of a database's tables and indexes, by name, as they lie on the disk."""
        ((oid,),) = self.execute(f"SELECT oid FROM pg_database WHERE datname = '{database}'")
        folder = self._data / "base" / str(oid)
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run one statement, and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def with_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """Give a running server a synchronous standby for a while: a commit is answered when it is on both disks."""
    with PostgresServer(copy_of=primary) as standby:
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        yield standby


@contextmanager
def empty_outbox(folder: Path, engine: str, *, standby: bool = False) -> Iterator[str]:
    """Make room for an outbox of this engine, which outlives the processes that use it; give its URL."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/pinrelay.db"
        return
    with PostgresServer(on_disk=True) as server, with_standby(server) if standby else nullcontext():
        yield server.url()
