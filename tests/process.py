"""The real `pinrelay serve`, in a process of its own, and other commands."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from tests import forked, limited
from tests.forked import Forked
from tests.limited import split_limits
from tests.outbox.new_store import new_store
from tests.rounds import LEVEL
from tests.waiting import slowdown, until

ROOT = Path(__file__).parent.parent
COMMAND = Path(sys.executable).parent / "pinrelay"
#: How a program is started: by these words, or by the name of a function that a forked process calls (`tests.forked`).
Program: TypeAlias = tuple[str, ...] | str
ITSELF: Program = (str(COMMAND),)
PINRELAY: Program = ITSELF if LEVEL == "prove" else "app.cli:main"
#: Debian keeps servers where only root looks.
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

#: Of requests to programs of the tests: certificates, which none of them has, would take longer than the request.
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}

START_S = 60
STOP_S = 40


def _own_ports() -> Iterator[int]:
    """Yield the ports of this worker of pytest, from a random one on, each once a round.

    The system gives ports from 32,768 up to whoever asks for any (`ip_local_port_range`), so a port from there could be
    taken between the moment it is chosen and the moment its server listens. No two workers share one of these.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(10_000 + worker % _WORKERS, 32_768, _WORKERS)
    start = secrets.randbelow(len(mine))
    return cycle((*mine[start:], *mine[:start]))


_WORKERS = 16
_ports = _own_ports()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on, and that nobody else is given while these tests run."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def clean_environment(**settings: object) -> dict[str, str]:
    """Return `settings` (a name in lower case is a variable in upper case) and nothing of whoever runs the tests.

    Technical limits are not settings: `tests.limited` reads them.
    """
    own, limits = split_limits(settings)
    found = forked.bare_environment() | {name.upper(): str(value) for name, value in own.items()}
    return found | ({limited.VARIABLE: json.dumps(limits)} if limits else {})


def limited_program(program: Program, environment: Mapping[str, str]) -> Program:
    """Return the program that applies the technical limits of the environment, if there are any."""
    if limited.VARIABLE not in environment:
        return program
    if program == ITSELF:
        return limited.COMMAND
    return "tests.limited:main" if program == PINRELAY else program


def run_command(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of Pinrelay in the folder of the repository, and return what it printed."""
    program = limited_program(PINRELAY, environment)
    if isinstance(program, str):
        return forked.run(program, arguments, folder=ROOT, environment=environment)
    words = [*program, *arguments]
    patience_s = 60 * slowdown()
    return subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
    )


def server_environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return these settings over those of a server of a test's own: a free port, and an empty outbox in `folder`."""
    standard = {
        "port": free_port(),
        "outbox_url": new_store(folder, "pinrelay.db"),
        "log_format": "json",
        "tmpdir": folder,  # where one that is killed may leave something
    }
    return clean_environment(**(standard | settings))


def measuring() -> dict[str, str]:
    """Return what makes coverage measure a process."""
    return {name: value for name, value in os.environ.items() if "COVERAGE" in name}


@dataclass(kw_only=True)
class Server:
    """A server that can be stopped, killed and started again over the same outbox and port."""

    port: int
    environment: dict[str, str]
    log_path: Path
    arguments: tuple[str, ...] = ("serve",)
    program: Program = PINRELAY
    _process: subprocess.Popen[bytes] | Forked | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        """The process that was started last."""
        assert self._process, "the server was not started"
        return self._process

    @property
    def log(self) -> str:
        """All that it has printed, over all its starts. A request's line comes after its answer: stop it, or poll."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers. Fails with its log where it does not."""
        assert LEVEL != "quick", "`make quick` starts no server: mark the test `whole`"
        self._process = self._started()
        try:
            until(self._answers, START_S, "/healthz answers")
        except AssertionError:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.log}") from None

    def _started(self) -> subprocess.Popen[bytes] | Forked:
        program = limited_program(self.program, self.environment)
        if isinstance(program, str):
            log_path = self.log_path
            return Forked(program, self.arguments, folder=ROOT, environment=self.environment, output=log_path)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [*program, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        """Ask it to end (SIGTERM), wait, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_S * slowdown())
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop within {STOP_S} s:\n{self.log}") from None

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def run(self, *arguments: str) -> str:
        """Run another command of the program with the same settings, and return what it prints."""
        done = run_command(*arguments, environment=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self) -> None:
        """Stop it where it still runs."""
        if self._process and self._process.poll() is None:
            self.stop()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it ended"
        try:  # a connection first: to make a client again and again would take the time that the server needs
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
            return httpx.get(f"{self.url}/healthz", timeout=2, **PLAIN).is_success
        except (OSError, httpx.TransportError):
            return False


@contextmanager
def running(folder: Path, *, measured: bool = False, **settings: object) -> Iterator[Server]:
    """Run `pinrelay serve` in sandbox mode, with its outbox and its log in `folder`: for tests that share a server.

    `measured`: what runs in it is covered by nothing else.
    """
    environment = server_environment(folder, **settings) | (measuring() if measured else {})
    server = Server(port=int(environment["PORT"]), environment=environment, log_path=folder / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.end()
