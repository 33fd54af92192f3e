"""A new user's ways to the first event delivered, as README.md and docs/getting-started.md show them, timed.

`make prove` alone tries them: everything is installed anew, from the network.
"""

import os
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.first_delivery import first_delivery, started
from tests.process import ROOT, clean_environment, free_port

pytestmark = [pytest.mark.prove, pytest.mark.whole]

UV = Path(sys.executable).parent / "uv"
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
PYTHONS = [each.rpartition(" ")[2] for each in CLASSIFIERS if "Python :: 3." in each]
#: The oldest, the one that runs this, and the newest: each that this machine has, as `pythonX.Y` on its PATH.
TRIED = sorted({PYTHONS[0], f"{sys.version_info.major}.{sys.version_info.minor}", PYTHONS[-1]})
TO_RUN = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("# == To build")[0]
#: From nothing: of the processor's time, since the machine may have more to do than this.
A_MINUTE = 60


class Stopwatch:
    """What passed since it was made: by the clock, and of the processor's time by programs that have ended."""

    def __init__(self) -> None:
        self._began, self._busy = time.monotonic(), busy_s()

    def told(self) -> str:
        """Return both, and fail where the second is more than a minute."""
        took_s, worked_s = time.monotonic() - self._began, busy_s() - self._busy
        assert worked_s < A_MINUTE
        return f"first delivery after {took_s:.0f} s, {worked_s:.0f} s of the processor"


def busy_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def network() -> dict[str, str]:
    """Return what of the environment says how registries are reached."""
    named = ("PIP_", "UV_", "SSL_")
    return {name: value for name, value in os.environ.items() if name.startswith(named) or name.endswith("_proxy")}


@pytest.mark.parametrize("version", TRIED)
def test_the_wheel_serves_from_an_empty_folder(
    wheel: Path, tmp_path: Path, version: str, record_figure: Callable[[str, object], None]
) -> None:
    found = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", "--no-project", version],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"there is no Python {version}")
    (tmp_path / "to-run.txt").write_text(TO_RUN, encoding="utf-8")
    python = tmp_path / "env/bin/python"
    watch = Stopwatch()
    for command in (
        (found.stdout.strip(), "-m", "venv", tmp_path / "env"),
        (python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", tmp_path / "to-run.txt"),
        (python, "-m", "pip", "install", "--quiet", "--no-deps", wheel),
    ):
        subprocess.run(command, env=clean_environment() | network() | {"PIP_CONSTRAINT": ""}, check=True)
    for folder in ("empty", "own"):
        (tmp_path / folder).mkdir()
    program, port = tmp_path / "env/bin/pinrelay", free_port()
    with started(program, "serve", cwd=tmp_path / "empty", env=clean_environment(port=port)) as process:
        first_delivery(process, port)
    record_figure(f"a new user with the wheel, Python {version}", watch.told())

    subprocess.run([program, "init"], cwd=tmp_path / "own", env=clean_environment(), check=True)
    port = free_port()
    settings = tmp_path / "own/pinrelay.env"
    settings.write_text(settings.read_text(encoding="utf-8").replace("#PORT=8080", f"PORT={port}"), encoding="utf-8")
    with started(program, "serve", cwd=tmp_path / "own", env=clean_environment()) as process:
        first_delivery(process, port)


@pytest.mark.parametrize("version", TRIED)
@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"])
def test_nothing_has_to_be_compiled(tmp_path: Path, platform: str, version: str) -> None:
    """The image is built for two kinds of processors, and `make run` is for macOS as well."""
    (tmp_path / "to-run.txt").write_text(TO_RUN, encoding="utf-8")
    command = (UV, "pip", "install", "--dry-run", "--only-binary=:all:", "--require-hashes", "--target", tmp_path / "x")
    asked = ("--python-platform", platform, "--python-version", version, "-r", tmp_path / "to-run.txt")
    environment = clean_environment() | network()
    done = subprocess.run([*command, *asked], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_clone_serves_by_make_run(tmp_path: Path, record_figure: Callable[[str, object], None]) -> None:
    port, watch = free_port(), Stopwatch()
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", tmp_path / "clone"], check=True)
    environment = clean_environment(port=port) | network()
    with started("make", "run", cwd=tmp_path / "clone", env=environment) as process:
        first_delivery(process, port)
    record_figure("a new user with git", watch.told())
