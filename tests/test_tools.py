""".ci/install-test-tools: what the distribution has too old is told with the command that helps."""

import subprocess
from pathlib import Path

import pytest

from tests.tools import OLDEST_COMPOSE

GOOD = {
    "curl": "curl 8.14.1",
    "node": "v20.19.2",
    "npm": "9.2.0",
    "chromium": "Chromium 150.0",
    "chromium-headless-shell": "",
    "docker-compose": "Docker Compose version 2.26.1-4",
    "postgres": "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)",
    "promtool": "promtool, version 2.53.3",
    "patroni": "patroni 4.0.7",
    "etcd": "etcd Version: 3.5.16",
}


def install(folder: Path, root: Path, **said: str) -> subprocess.CompletedProcess[str]:
    """Run the script where every program is there and says this of its version."""
    for program, text in {**GOOD, **{name.replace("_", "-"): text for name, text in said.items()}}.items():
        path = folder / program
        path.write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
        path.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder)}
    return subprocess.run(
        [root / ".ci/install-test-tools"], env=environment, capture_output=True, text=True, check=False
    )


def test_where_all_is_there_nothing_is_said(tmp_path: Path, root: Path) -> None:
    done = install(tmp_path, root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


OLD_COMPOSE = f"This docker-compose is older than {'.'.join(map(str, OLDEST_COMPOSE))}."


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"docker_compose": "docker-compose version 1.29.2, build unknown"}, OLD_COMPOSE),
        ({"docker_compose": "Traceback (most recent call last):"}, OLD_COMPOSE),
    ],
    ids=["docker-compose of Debian 12", "docker-compose that does not start"],
)
def test_what_is_too_old_stops_it_with_a_command_that_helps(
    tmp_path: Path, root: Path, said: dict[str, str], complaint: str
) -> None:
    done = install(tmp_path, root, **said)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{complaint} Run this, then try again:\n    ")
    assert "/usr/local/bin" in done.stderr
