"""`pinrelay serve`: the server."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from socket import socket
from threading import Thread
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.assemble import checked_settings, running_sources
from app.assemble.ad_accounts import destinations
from app.commands.terminal import print_line
from app.config import Settings, doubtful_variables, load_settings
from app.core.log import configure_logging, logger
from app.core.values.addresses import read_networks
from app.errors import PinrelayError, SettingsError
from app.main import Role, create_app
from app.warehouse import clear_leftovers
from app.web.bounded_connection import BoundedConnection, Connections, connection_capacity

#: An incomplete request is closed after this multiple of `request_timeout_s`. `receive` counts from the first bytes of
#: the body.
_GRACE = 2

#: Exit code of a worker process that has logged why it cannot start; and the pause before its replacement.
_CANNOT_START = 1
_PAUSE_S = 10
#: A worker that does not respond to its parent within this time hangs. On a busy machine the start takes many seconds,
#: and a lower limit would kill it repeatedly.
_HANGS_AFTER_S = 20
#: The time in which a worker ends after it has closed its side of the pipe.
_ENDS_WITHIN_S = 1.0

_NOT_LISTENING = (
    "HOST and PORT: cannot listen there, see the log above. If the address is in use, set another PORT or stop the "
    "program that has it; otherwise set HOST to an address of this machine"
)


def serve(
    workers: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    role: Annotated[Role, typer.Option(help="Receive events, send them, or all.")] = Role.ALL,
) -> None:
    """Start the server. Settings come from the environment, see docs/settings.md.

    Without Pinterest's credentials it sends to the built-in sandbox.
    SIGTERM finishes running work, then ends; a second SIGTERM ends at once. SIGHUP reloads presets and mappings.

    Example: PORT=9000 pinrelay serve --workers 2
    """
    run(workers, role)


def run(workers: int, role: Role, *, pause_s: float = _PAUSE_S) -> None:
    """Serve with worker processes until a signal.

    `pause_s` is the pause before replacing a worker that could not start. Raises SettingsError, ConfigurationError or
    OutboxError if the server cannot start, SystemExit if no worker can.
    """
    settings = checked_settings(os.environ)
    _configure_logging(settings)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until reloads are possible
    if doubtful := doubtful_variables():
        logger().warning("unknown settings", message=doubtful)
    clear_leftovers()
    banner = partial(print_banner, settings, role)
    if workers == 1:
        _Server(_config(settings, create_app(settings, role=role)), banner).run()
        return
    create_app(settings, role=role)  # reports faults once, here, and not in every worker
    folder = tempfile.mkdtemp(prefix="pinrelay-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        config = _config(settings, partial(worker, role, again_in_s=pause_s), workers=workers)
        processes = _Workers(config, [_bind(config)], pause_s, banner)
        processes.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if processes.could_not_start:
        raise SystemExit(STARTUP_FAILURE)


def _bind(config: uvicorn.Config) -> socket:
    try:
        return config.bind_socket()
    except SystemExit:  # uvicorn exits this way, after logging the reason
        raise SettingsError(_NOT_LISTENING) from None


def _configure_logging(settings: Settings) -> None:
    configure_logging(settings.log_format, settings.log_level, successes_each=settings.log_successes_each)


class _Workers(Multiprocess):
    """Worker processes; a second signal ends them immediately, and SIGHUP reloads files, not processes."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket], pause_s: float, banner: Callable[[int], None]
    ) -> None:
        super().__init__(config, sockets)
        self._pause_s = pause_s
        #: Prints the banner for a port; `None` after the first worker has begun to serve.
        self._banner: Callable[[int], None] | None = banner
        self._is_ending = False
        #: True if the application did not start in a worker and no other worker serves: its outbox is unusable.
        self.could_not_start = False
        #: The replacement times of processes that could not start, by the monotonic clock.
        self._replaced_at: dict[int | None, float] = {}
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._end)

    def _end(self, sig: int, _: FrameType | None) -> None:
        if self._is_ending:
            for process in self.processes:
                process.process.kill()
            os._exit(128 + sig)
        self._is_ending = True
        self.signal_queue.append(sig)

    def init_processes(self) -> None:
        self.processes = [start_worker(self.config, self.sockets) for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace processes that died or hang; after a pause those that could not start and have logged the reason.

        If no other worker serves, an application that did not start ends the server, as with a single process.
        """
        if self._banner and any(map(_serves, self.processes)):
            self._banner(self.sockets[0].getsockname()[1])
            self._banner = None
        for index, process in enumerate(self.processes):
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.process.join(_ENDS_WITHIN_S)  # its exit code gives the reason
            if self._is_left(process):
                continue
            if self.should_exit.is_set():
                return
            process.kill()
            process.join()
            self._replaced_at.pop(process.pid, None)
            logger().info("worker died", pid=process.pid, exit_code=process.exitcode)
            self.processes[index] = start_worker(self.config, self.sockets)

    def _is_left(self, process: Process) -> bool:
        """Return whether a dead process is not replaced yet.

        The reason of its failed start probably persists.
        """
        if process.exitcode not in (_CANNOT_START, STARTUP_FAILURE):
            return False
        if process.pid not in self._replaced_at:
            self._replaced_at[process.pid] = time.monotonic() + self._pause_s
            if process.exitcode == STARTUP_FAILURE and not any(map(_serves, self.processes)):
                self.could_not_start = True
                self.should_exit.set()
        return time.monotonic() < self._replaced_at[process.pid]

    def handle_hup(self) -> None:
        """Make all serving workers load changed files; a starting worker reads them anyway."""
        self._replaced_at = dict.fromkeys(self._replaced_at, 0.0)  # the reason of their failed start may be fixed
        for process in self.processes:
            if _serves(process) and process.pid:
                os.kill(process.pid, signal.SIGHUP)


def start_worker(config: uvicorn.Config, sockets: list[socket]) -> Process:
    """Start a worker process whose end is detected by the health check.

    Only the worker keeps its side of the pipe: uvicorn keeps a copy, and would wait as long as for a hanging worker.
    """
    process = Process(config, sockets)
    process.start()
    process.child_conn.close()
    return process


def _serves(process: Process) -> bool:
    return process.process.is_alive() and process.is_ready()


def worker(role: Role, *, again_in_s: float) -> object:
    """Return the application of a worker process; if it cannot start, log the reason and end the process.

    Faults may be new since the parent's check, because a replaced worker reads the current files. The other workers
    continue.
    """
    configure_logging("auto", "info")
    Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    try:
        settings = load_settings()
        _configure_logging(settings)
        return create_app(settings, role=role)
    except PinrelayError as exc:
        logger().error("worker cannot start", faults=str(exc).splitlines(), again_in_s=again_in_s)
        sys.exit(_CANNOT_START)


def _end_with_the_parent() -> None:
    """Wait for the end of the parent process, and then end as by SIGTERM.

    A killed parent cannot notify its workers, which would remain without supervision, and a new server could not listen
    on their port.
    """
    if (parent := parent_process()) is not None:
        parent.join()
        logger().error("parent died", pid=parent.pid)
        os.kill(os.getpid(), signal.SIGTERM)


def _config(settings: Settings, app: object, *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=workers > 1,
        workers=workers,
        timeout_worker_healthcheck=_HANGS_AFTER_S,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",  # websockets are not supported, and uvicorn would log addresses and queries of attempts
        timeout_graceful_shutdown=max(1, int(settings.shutdown_timeout_s)),
        timeout_keep_alive=30,
        http=partial(  # type: ignore[arg-type]
            BoundedConnection,
            timeout_s=_GRACE * settings.limits.request_timeout_s,
            stalled_s=settings.limits.request_timeout_s,
            open_connections=Connections(
                per_address=settings.limits.max_connections_per_address,
                capacity=connection_capacity(),
                trusted=read_networks(settings.trusted_proxies),
            ),
        ),
    )


class _Server(uvicorn.Server):
    """A server that a second signal of any kind ends immediately."""

    def __init__(self, config: uvicorn.Config, banner: Callable[[int], None]) -> None:
        super().__init__(config)
        self._banner = banner

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then print the banner."""
        await super().startup(sockets)
        if self.started:
            self._banner(self.servers[0].sockets[0].getsockname()[1])

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until a signal. Raises SettingsError if the port cannot be opened."""
        try:
            super().run(sockets)
        except SystemExit:
            if self.lifespan.should_exit:  # the application did not start: its outbox is unusable
                raise
            raise SettingsError(_NOT_LISTENING) from None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first signal, exit on the second."""
        if self.should_exit:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def print_banner(settings: Settings, role: Role, port: int) -> None:
    """Print the open addresses, and the target of deliveries, to standard error."""
    if settings.destinations_dir:
        goes = ", ".join(
            f"{each.name} ({'ad account ' + each.ad_account_id if each.view.live else 'the built-in sandbox'})"
            for each in destinations(settings)
        )
    elif not settings.sandboxed:
        goes = f"{settings.pinterest_api_url} for ad account {settings.pinterest_ad_account_id or '(none)'}"
    else:
        goes = (
            "the built-in SANDBOX, because PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN are not set;\n"
            "          nothing reaches Pinterest"
        )
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(settings.host, settings.host)  # noqa: S104 - compared
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    is_open = not settings.reachable or settings.has_tokens or settings.console_user_header
    console = "" if is_open else ", from this machine only: set CONSOLE_PASSWORD to open it"
    paths = _paths_of_senders(settings) if role is not Role.SEND else []
    for line in (
        "",
        "  Pinrelay",
        *(f"  events    POST {address}{path}" for path in paths),
        *([f"  console   {address}/console{console}"] if is_open or host == "localhost" else []),
        *f"  delivers  to {goes}".splitlines(),
        "",
    ):
        print_line(line, err=True)


def _paths_of_senders(settings: Settings) -> list[str]:
    """Return the paths that receive events with these settings."""
    sources = running_sources(settings, on_fault=print_line)
    named = [f"/webhook/{name}" for name, each in sources.sources.items() if not each.is_off] if sources else []
    takes_batches = settings.write_keys or not settings.authenticated
    return ["/webhook"] * settings.webhook_takes_events + ["/v1/batch"] * bool(takes_batches) + named
