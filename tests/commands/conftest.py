"""The command line, run in this process with settings of the test alone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from app.cli import cli
from app.config import Settings
from tests.process import ROOT

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave logging as it was."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("check", "--json", PORT="1")` runs a command with these settings only."""
    monkeypatch.chdir(ROOT)

    def invoke(*arguments: object, stdin: str | bytes | None = None, **settings: str) -> Result:
        mine = {"OUTBOX_URL": f"sqlite:///{tmp_path}/o.db", "COLUMNS": "200"} | settings
        nobodys = dict.fromkeys((name.upper() for name in Settings.model_fields if name.upper() in os.environ), None)
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin, env=nobodys | mine)

    return invoke
