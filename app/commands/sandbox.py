"""`pinrelay sandbox`: run the sandbox of Pinterest's endpoint alone."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

from app.commands.terminal import print_line, writing
from app.errors import SettingsError
from app.sandbox import Account, create_sandbox


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1 to listen on.")] = 8081,
    token: Annotated[str | None, typer.Option(help="Token to accept. Without it, any token is accepted.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="File that keeps received events across restarts. Created if missing.")
    ] = None,
) -> None:
    """Run a sandbox of Pinterest's API: it checks events by Pinterest's schema, keeps them, and can simulate errors.

    Set PINTEREST_API_URL=http://127.0.0.1:8081/sandbox/v5 in the server that shall send to it.
    GET /sandbox/ shows counts. PUT /sandbox/script sets the errors, PUT /sandbox/clock how far its clock is ahead.

    Example: pinrelay sandbox --port 8081
    """
    with writing("--file"):
        inner = create_sandbox(account=Account(token=SecretStr(token) if token else None), path=file)
    app = Starlette(routes=[Route("/healthz", lambda _: Response("alive")), Mount("/sandbox", inner)])
    print_line(f"sandbox: http://127.0.0.1:{port}/sandbox/ (PINTEREST_API_URL=http://127.0.0.1:{port}/sandbox/v5)")
    try:
        uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    except SystemExit:  # uvicorn exits this way if it cannot listen, after logging the reason
        raise SettingsError(
            f"--port {port}: cannot listen there, see the log above. Use another port, or stop the program that has it"
        ) from None
