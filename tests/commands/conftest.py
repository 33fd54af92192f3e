"""The command line, run in this process with settings of the test alone."""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import structlog
from typer import testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from app.cli import cli
from app.config import Settings
from tests.outbox.new_store import new_store
from tests.process import ROOT

Run = Callable[..., Result]
#: What docs/command-output.md says that each command prints as JSON.
PRINTED = dict(
    re.findall(
        r"^\| `([a-z -]+)` \| (.*) \|$", (ROOT / "docs/command-output.md").read_text(encoding="utf-8"), re.MULTILINE
    )
)

#: The command is made of its functions once, not for each run, which would take longer than most runs.
vars(testing)["_get_command"] = cache(get_command)


def documented(command: str) -> list[set[str]]:
    """Read the names that the documentation gives the JSON of a command: of each of its forms."""
    return [set(re.findall(r"`([a-z_]+)`", form)) for form in PRINTED[command].split("; with")]


def undocumented(words: Sequence[str], printed: str) -> set[str]:
    """Return the names of what a command printed as JSON that the documentation does not have."""
    command = next(" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in PRINTED)
    if PRINTED[command].endswith("and more"):
        return set()
    values = [json.loads(line) for line in printed.splitlines() if line.startswith(("{", "["))]
    rows = [row for value in values for row in (value if isinstance(value, list) else [value])]
    return {name.partition(" ")[0] for row in rows for name in row} - set().union(*documented(command))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave logging as it was."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("check", "--json", PORT="1")` runs a command with these settings only, on an outbox with nothing in it.

    What it prints is documented.
    """
    monkeypatch.chdir(ROOT)
    new_store(tmp_path, "o.db")

    def invoke(*arguments: object, stdin: str | bytes | None = None, **settings: str | None) -> Result:
        mine = {"OUTBOX_URL": f"sqlite:///{tmp_path}/o.db", "COLUMNS": "200"} | settings
        nobodys = dict.fromkeys((name.upper() for name in Settings.model_fields if name.upper() in os.environ), None)
        words = [str(argument) for argument in arguments]
        result = CliRunner().invoke(cli, words, input=stdin, env=nobodys | mine)
        if "--json" in words:
            assert undocumented(words, result.stdout) == set()
        return result

    return invoke


class Slack(HTTPServer):
    """Keeps what it is told, and answers `status`."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.texts: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/s3cret"


class _Handler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.texts.append(json.loads(body)["text"])
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
