"""The programs of the distribution that tests start, and what to say where one is missing or too old.

Debian 13 has all of them. Debian 12 has too old a Docker Compose, Ubuntu has Chromium as a snap only.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.outbox.postgres_server import OLDEST_POSTGRES
from tests.outbox.postgres_server import program as postgres_program
from tests.process import PATH

if TYPE_CHECKING:
    from playwright.sync_api import Playwright  # half a second of each process, for the few that open a browser

#: Knows `configs` with their content in the file.
OLDEST_COMPOSE = (2, 24)
#: Where Ubuntu's package docker-compose-v2 has it.
_PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"


@cache
def _version(*command: str) -> tuple[int, ...]:
    """Answer what a program says of its version; () where it is missing or does not run."""
    if shutil.which(command[0], path=PATH) is None:
        return ()
    said = subprocess.run(command, env={"PATH": PATH}, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(?:\.\d+)+", said)
    return tuple(map(int, found[0].split("."))) if found else ()


def postgres_is_missing() -> str:
    """Return why no PostgreSQL can be started; "" where one can."""
    if postgres_program("postgres"):
        return ""
    return f"there is no PostgreSQL {OLDEST_POSTGRES} or newer: .ci/install-test-tools says how to get one"


def need_postgres() -> None:
    """Skip a test that needs PostgreSQL where there is none, or only an older one."""
    if reason := postgres_is_missing():
        pytest.skip(reason)


def docker_compose() -> str:
    """Give the program that reads compose files; a test that needs it is skipped where there is none."""
    for program in ("docker-compose", _PLUGIN):
        if _version(program, "version", "--short") >= OLDEST_COMPOSE:
            return program
    pytest.skip("there is no Docker Compose 2.24 or newer: .ci/install-test-tools says how to get one")


def chromium(playwright: "Playwright") -> str:
    """Give the distribution's Chromium, the one without a window where it is there, or Playwright's own.

    A test that needs it is skipped where there is none.
    """
    own = playwright.chromium.executable_path
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium") or (own if Path(own).exists() else None)
    return found or pytest.skip("there is no Chromium: .ci/install-test-tools says how to get one")
