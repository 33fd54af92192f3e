"""A server of two worker processes."""

import sys
import tempfile
from collections.abc import Callable

import psutil

from tests.process import Server
from tests.waiting import until

#: `pinrelay serve --workers 2` that soon tries again what could not start. Its workers are forked from a process that
#: has imported Pinrelay, where those of the command each import it; a test of the command itself stands beside these.
HASTY = """
from multiprocessing import get_context
import uvicorn._subprocess
from app.commands.serve import Role, run
uvicorn._subprocess.spawn = get_context("forkserver")
uvicorn._subprocess.spawn.set_forkserver_preload(["tests.preloaded"])
run(2, Role.ALL, pause_s=0.5)
"""


def start_two(start_server: Callable[..., Server], **settings: object) -> Server:
    """Start it, and wait until both serve. The path of the forking process's socket must be short."""
    folder = tempfile.gettempdir()
    server = start_server(program=(sys.executable, "-c", HASTY), arguments=(), tmpdir=folder, **settings)
    until(lambda: server.log.count("Application startup complete") == 2, 60, "both serve")
    return server


def kill_one(server: Server) -> None:
    psutil.Process(min(workers(server))).kill()


def workers(server: Server) -> set[int]:
    """Name the processes that serve: the children of the one that they are forked from."""
    (forking,) = (
        child for child in psutil.Process(server.process.pid).children() if "forkserver" in " ".join(child.cmdline())
    )
    return {child.pid for child in forking.children()}
