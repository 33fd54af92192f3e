"""A pgbouncer before a PostgreSQL server of the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.process import free_port

_START_S = 20


class Pgbouncer:
    """Started on entry, stopped on exit. `mode` is its pool_mode, `prepared` its max_prepared_statements."""

    def __init__(self, server_port: int, *, mode: str, prepared: int) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        assert program, "there is no pgbouncer: .ci/install-test-tools says how to get one"
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="pinrelay-pgbouncer-"))
        (self._folder / "users").write_text('"postgres" ""\n', encoding="utf-8")
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": self._folder / "users",
            "pool_mode": mode,
            "max_prepared_statements": prepared,
            "default_pool_size": 60 if mode == "session" else 4,  # each client has a session there
            "max_client_conn": 200,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        config = f"[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\n" + "\n".join(lines) + "\n"
        (self._folder / "pgbouncer.ini").write_text(config, encoding="utf-8")
        self._command = [program, str(self._folder / "pgbouncer.ini")]
        self._environment: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": os.defpath}}
        if os.geteuid() == 0:  # it refuses to be run by root
            shutil.chown(self._folder, "postgres")
            self._environment |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, url: str) -> str:
        """Return a URL of the server, by way of this."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{url.rpartition('/')[2]}"

    def __enter__(self) -> Self:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._environment
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"pgbouncer does not start:\n{told}")
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("/postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)
