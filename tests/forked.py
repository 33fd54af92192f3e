"""Processes of Pinrelay, forked from one that has imported it: a start takes 0.2 s of CPU instead of 1.1.

A forked process has what the command has once its imports are done, and an environment, arguments, a folder and output
of its own. `make prove`, and tests of the command itself, start the command instead.
"""

import atexit
import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

from tests.waiting import slowdown

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])


def bare_environment() -> dict[str, str]:
    """Return what every program needs of the environment, and nothing of whoever runs the tests."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


class Forked:
    """A process that calls a function without arguments, with what tests ask of `subprocess.Popen`.

    `function` is named as in `app.cli:main`; it reads `arguments` in `sys.argv`, behind the name of the program.
    """

    def __init__(
        self,
        function: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
    ) -> None:
        """Start it; it appends what it prints to `output`, errors too unless there is a file for them."""
        todo = (function, list(arguments), folder, dict(environment), output, errors or output)
        self._process = _CONTEXT.Process(target=_become, args=todo, daemon=True)
        # The process that all are forked from has nothing of whoever runs the tests, and is not measured.
        with patch.dict(os.environ, bare_environment(), clear=True):
            forkserver.ensure_running()
        self._process.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, a signal's with a minus; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end, and return its exit code. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout_s)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout_s or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


def run(
    function: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Do what `subprocess.run` does with a program where it captures text."""
    with tempfile.TemporaryDirectory() as kept:
        output, errors = Path(kept, "output"), Path(kept, "errors")
        process = Forked(function, arguments, folder=folder, environment=environment, output=output, errors=errors)
        try:
            code = process.wait(timeout_s * slowdown())
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, code, *(file.read_text() for file in (output, errors)))


def _become(
    function: str, arguments: list[str], folder: Path, environment: dict[str, str], output: Path, errors: Path
) -> None:
    """Be what a shell would have started."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it is asked for anew
    os.chdir(folder)
    for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
    if any("COVERAGE" in name for name in environment):
        import coverage  # noqa: PLC0415 - of the process that most forget

        from tests.monitoring import measure_by_events  # noqa: PLC0415 - likewise; bench/ has a coverage.py of its own

        measure_by_events()
        coverage.process_startup()
    sys.argv = ["pinrelay", *arguments]
    try:
        sys.exit(pkgutil.resolve_name(function)())
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing leaves them out
