"""The steps of the image, done in a folder: no container engine is needed. See test_image.py for the image itself."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dockerfile import Image, read_stages
from tests.packaging.first_delivery import first_delivery
from tests.process import ROOT, free_port

pytestmark = [pytest.mark.prove, pytest.mark.whole]

BUILD, FINAL = read_stages(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def began() -> float:
    """When the image's steps were begun, by the monotonic clock."""
    return time.monotonic()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, began: float) -> Image:
    image = Image(tmp_path_factory.mktemp("image"), ROOT)
    image.build(BUILD)
    (image.folder / "data").mkdir()
    return image


@pytest.fixture
def container(image: Image) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """CMD, in the image's own environment with a write key, which a public address demands, on a free port."""
    workdir = image.build(FINAL)
    environment = image.environment(FINAL) | {"PORT": str(free_port()), "WRITE_KEYS": "shop:0123456789abcdef"}
    (command,) = (item.command for item in FINAL if item.name == "CMD")
    executable = Path(environment["PATH"].split(":")[0]) / command[0]
    process = subprocess.Popen(
        [executable, *command[1:]],
        cwd=workdir,
        env=environment,
    )
    with process:
        yield process, environment
        process.kill()


def test_the_steps_give_a_server_that_is_healthy_and_stops_when_asked(
    image: Image,
    container: tuple[subprocess.Popen[bytes], dict[str, str]],
    began: float,
    record_figure: Callable[[str, object], None],
) -> None:
    process, environment = container

    first_delivery(process, int(environment["PORT"]), auth=("0123456789abcdef", ""))
    took_s = time.monotonic() - began
    record_figure("a new user with the image's steps", f"{took_s:.0f} s to the first delivery, nothing compiled")

    check = next(item.command for item in FINAL if item.name == "HEALTHCHECK")
    python = image.folder / "opt/pinrelay/bin" / check[0]
    subprocess.run([python, *check[1:]], env=environment, check=True, timeout=10)

    process.send_signal(signal.SIGTERM)
    assert process.wait(40) in {0, -signal.SIGTERM}
    assert list((image.folder / "data").glob("pinrelay.db*"))


def test_only_what_is_used_is_shipped(image: Image) -> None:
    """The base has some 120 MB, and what is compiled at the build 25 MB: less than 250 MB in all, without DuckDB."""
    folder = image.folder / "opt/pinrelay"
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files if path.suffix != ".pyc") < 90_000_000


def test_the_extras_and_no_build_tool_are_shipped(image: Image) -> None:
    shipped = {path.name.split("-")[0] for path in (image.folder / "opt/pinrelay").rglob("*.dist-info")}
    assert "pinrelay" in shipped
    assert {"psycopg_binary", "opentelemetry_sdk"} <= shipped, "the image has the extras"
    assert not shipped & {"pip", "hatchling", "setuptools", "wheel", "pytest", "ruff", "mypy", "uv"}
