"""The image: small, without rights, healthy. No container engine is needed: the steps are done in a folder."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dockerfile import Image, Stage, read_stages
from tests.packaging.first_delivery import first_delivery
from tests.process import ROOT, free_port

BUILD, FINAL = read_stages(ROOT / "Dockerfile")


def only(stage: Stage, name: str) -> str:
    (value,) = (instruction.value for instruction in stage if instruction.name == name)
    return value


def test_the_process_has_no_rights() -> None:
    assert only(FINAL, "USER") == "10001:10001"
    assert ["useradd --system --uid 10001" in item.value for item in FINAL if item.name == "RUN"] == [True]


def test_the_outbox_outlives_the_container() -> None:
    assert only(FINAL, "VOLUME") == "/data"
    assert "OUTBOX_URL=sqlite:////data/" in only(FINAL, "ENV")


def test_signals_reach_the_server_itself() -> None:
    (command,) = (item.command for item in FINAL if item.name == "CMD")
    assert command == ["pinrelay", "serve"]
    assert only(FINAL, "STOPSIGNAL") == "SIGTERM"


def test_labels_say_what_the_image_was_built_of() -> None:
    given = {item.value.partition("=")[0] for item in FINAL if item.name == "ARG"}
    labels = dict(word.split("=", 1) for item in FINAL if item.name == "LABEL" for word in item.words)
    assert {f"${name}" for name in given} <= set(labels.values())
    assert {"VERSION", "REVISION", "CREATED"} == given


def test_everything_is_installed_by_hash() -> None:
    installs = [
        line for item in BUILD if item.name == "RUN" for line in item.value.split("&&") if "pip install" in line
    ]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line


def test_every_copied_file_is_sent_to_the_engine() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source
        for item in BUILD + FINAL
        if item.name == "COPY" and not item.value.startswith("--from")
        for source in item.words[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


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


@pytest.mark.whole
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


@pytest.mark.whole
def test_only_what_is_used_is_shipped(image: Image) -> None:
    """The base has some 120 MB, and what is compiled at the build 25 MB: less than 250 MB in all, without DuckDB."""
    folder = image.folder / "opt/pinrelay"
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files if path.suffix != ".pyc") < 90_000_000


@pytest.mark.whole
def test_the_extras_and_no_build_tool_are_shipped(image: Image) -> None:
    shipped = {path.name.split("-")[0] for path in (image.folder / "opt/pinrelay").rglob("*.dist-info")}
    assert "pinrelay" in shipped
    assert {"psycopg_binary", "opentelemetry_sdk"} <= shipped, "the image has the extras"
    assert not shipped & {"pip", "hatchling", "setuptools", "wheel", "pytest", "ruff", "mypy", "uv"}


def test_the_health_check_is_the_same_question_as_ours() -> None:
    assert "/healthz" in shlex.join(next(item.command for item in FINAL if item.name == "HEALTHCHECK"))


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "docker-compose.cluster.yml"])
def test_every_image_of_somebody_else_is_pinned_by_its_digest(name: str) -> None:
    text = (ROOT / name).read_text()
    images = re.findall(r"^\s*(?:FROM|image:)\s+(\S+)", text, re.MULTILINE)
    foreign = [image for image in images if not image.startswith("pinrelay")]
    assert foreign
    assert [image for image in foreign if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []
