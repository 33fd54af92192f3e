"""`pinrelay serve`: the server."""

import os
import shutil
import signal
import sys
import tempfile
from functools import partial
from socket import socket
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from app.config import Settings, load_settings
from app.connection import BoundedConnection
from app.errors import SettingsError
from app.log import configure_logging
from app.main import Role, create_app

#: Environment variables by which the parent tells its workers what they are.
_ROLE = "PINRELAY_ROLE"

#: A request that is not whole is cut after so many REQUEST_TIMEOUT_S; the door counts from the first piece of the body.
_GRACE = 2

_NOT_LISTENING = "HOST and PORT: this machine does not let it listen there; the line before says why"


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(serve)


def serve(
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    role: Annotated[Role, typer.Option(help="receive events, send them, or do all.")] = Role.ALL,
) -> None:
    """Start the server; settings come from the environment (see the README).

    Without Pinterest's credentials it delivers to the built-in sandbox.
    SIGTERM finishes what is under way; a second SIGTERM ends at once. SIGHUP takes up changed presets and mappings.

    Example: PORT=9000 pinrelay serve --workers 2
    """
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    _banner(settings)
    os.environ[_ROLE] = role.value
    if workers == 1:
        _Server(_config(settings, create_app(settings, role=role))).run()
        return
    create_app(settings, role=role)  # faults are told once, here, and not by every worker
    folder = tempfile.mkdtemp(prefix="pinrelay-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        config = _config(settings, "app.commands.serve:worker", workers=workers)
        _Workers(config, [_bind(config)]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bind(config: uvicorn.Config) -> socket:
    try:
        return config.bind_socket()
    except SystemExit:  # so uvicorn ends, having logged why
        raise SettingsError(_NOT_LISTENING) from None


class _Workers(Multiprocess):
    """Worker processes; a second signal to end them does so at once, and SIGHUP reloads files, not processes."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._is_ending = False
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._end)

    def _end(self, sig: int, _: FrameType | None) -> None:
        if self._is_ending:
            for process in self.processes:
                process.process.kill()
            os._exit(128 + sig)
        self._is_ending = True
        self.signal_queue.append(sig)

    def handle_hup(self) -> None:
        """Let every worker that serves take up changed files; one that still starts reads them anyhow."""
        for process in self.processes:
            if process.is_ready() and process.pid:
                os.kill(process.pid, signal.SIGHUP)


def worker() -> object:
    """Build the application in a worker process."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    return create_app(settings, role=Role(os.environ[_ROLE]))


def _config(settings: Settings, app: object, *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=workers > 1,
        workers=workers,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",  # nothing here speaks it, and uvicorn would log the addresses and queries of those who try
        timeout_graceful_shutdown=max(1, int(settings.shutdown_timeout_s)),
        timeout_keep_alive=30,
        http=partial(BoundedConnection, timeout_s=_GRACE * settings.request_timeout_s),  # type: ignore[arg-type]
    )


class _Server(uvicorn.Server):
    """A server that a second signal of any kind ends at once."""

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until a signal. Raises SettingsError where it cannot listen."""
        try:
            super().run(sockets)
        except SystemExit:
            if self.lifespan.should_exit:  # the application did not start: its outbox cannot be used
                raise
            raise SettingsError(_NOT_LISTENING) from None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first signal, leave on the second."""
        if self.should_exit:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def _banner(settings: Settings) -> None:
    """Say on standard error where events go, before anything is served."""
    if not settings.sandboxed:
        goes = f"{settings.pinterest_api_url} for ad account {settings.pinterest_ad_account_id or '(none)'}"
    else:
        goes = (
            "the built-in SANDBOX, because PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN are not set;\n"
            "          nothing reaches Pinterest"
        )
    address = f"http://{settings.host}:{settings.port}"
    sys.stderr.write(
        f"\n  Pinrelay\n  events    POST {address}/webhook\n  console   {address}/console\n  delivers  to {goes}\n\n"
    )
    sys.stderr.flush()
