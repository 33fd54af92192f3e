"""A nats-server with JetStream for one test: a free port, its store in the test's folder, every write synced."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.process import PATH, free_port


class NatsServer:
    """Started on entry, stopped on exit; `kill` and `start` in between lose nothing that it acknowledged."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._config = folder / f"nats-{self.port}.conf"
        self._log = folder / f"nats-{self.port}.log"
        jetstream = {"store_dir": str(folder / f"nats-{self.port}"), "sync_interval": "always"}
        standard = {"listen": f"127.0.0.1:{self.port}", "server_name": self.name, "jetstream": jetstream}
        # The format of nats-server takes JSON.
        self._config.write_text(json.dumps(standard | settings))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """What it is called in its cluster."""
        return f"n{self.port}"

    @classmethod
    def cluster(cls, folder: Path, count: int) -> "list[NatsServer]":
        """Start several that form a cluster; the caller ends them."""
        ports = [free_port() for _ in range(count)]
        routes = [f"nats://127.0.0.1:{port}" for port in ports]
        servers = []
        for port in ports:
            cluster = {"name": "test", "listen": f"127.0.0.1:{port}", "routes": routes}
            servers.append(cls(folder, cluster=cluster))
            servers[-1].start()
        return servers

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)

    def start(self) -> None:
        """Start it, and return when it listens."""
        environment = {"PATH": PATH}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["nats-server", "-c", str(self._config)], stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + 20
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server does not listen:\n{self._log.read_text()}")

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.05).close()
        except OSError:
            time.sleep(0.01)
            return False
        return True


@contextmanager
def empty_outbox(folder: Path, engine: str) -> Iterator[str]:
    """Make room for an outbox on `sqlite` or `nats`, which outlives the processes that use it; give its URL."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/pinrelay.db"
    else:
        with NatsServer(folder) as broker:
            yield broker.url
