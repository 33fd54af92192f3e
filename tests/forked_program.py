"""A program for shell scripts that is forked as `tests.forked` does: a start of the command takes a second of CPU."""

import json
import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.forked import Forked

#: What a script starts: it hands on arguments, environment, folder, output and SIGTERM, and ends as the forked does.
_PROGRAM: Final = """#!{python} -IS
import json, os, signal, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect("{door}")
signal.signal(signal.SIGTERM, lambda *_: door.send(b"end"))
told = (os.getpid(), sys.argv[1:], dict(os.environ), os.getcwd())
door.sendall(json.dumps(told).encode() + b"\\n")
sys.exit(int(door.makefile().readline()))
"""
_POLL_S: Final = 0.02


@contextmanager
def forked_program(function: str, file: Path) -> Iterator[None]:
    """Make a program that calls a function without arguments, such as `app.cli:main`, as long as this lasts."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(f"{file}.door")
    door.listen()
    file.write_text(_PROGRAM.format(python=sys.executable, door=f"{file}.door"), encoding="utf-8")
    file.chmod(0o755)
    threading.Thread(target=_let_in, args=(door, function), daemon=True).start()
    try:
        yield
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()


def _let_in(door: socket.socket, function: str) -> None:
    turn = threading.Lock()
    with suppress(OSError):  # it is closed
        while True:
            threading.Thread(target=_run, args=(door.accept()[0], function, turn), daemon=True).start()


def _run(caller: socket.socket, function: str, turn: threading.Lock) -> None:
    with caller, caller.makefile("rb") as lines:
        pid, arguments, environment, folder = json.loads(lines.readline())
        streams: dict[str, Any] = {"output": Path(f"/proc/{pid}/fd/1"), "errors": Path(f"/proc/{pid}/fd/2")}
        with turn:  # to start one looks at all others
            process = Forked(function, arguments, folder=Path(folder), environment=environment, **streams)
        code = None
        while code is None:
            if select.select([caller], [], [], _POLL_S)[0]:
                if not caller.recv(99):
                    process.kill()
                process.terminate()
            with turn:
                code = process.poll()
        with suppress(OSError):
            caller.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
