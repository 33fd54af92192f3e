"""The image as a container engine builds and runs it: Buildah, over the distribution's Python in the place of the base.

Needs root, and `apt-get install buildah netavark debootstrap`. No registry of images is asked. tests/test_dockerfile.py
looks at what can be known without an engine.
"""

import json
import os
import resource
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.dockerfile import read_stages
from tests.examples.blocks import BLOCKS
from tests.packaging.first_delivery import first_delivery, started
from tests.process import PATH, ROOT, STOP_S, free_port

pytestmark = [pytest.mark.prove, pytest.mark.whole]

KEY = "0123456789abcdef"
STAGES = read_stages(ROOT / "Dockerfile")
#: What Python's own image has beside Debian's.
BASE = """
FROM scratch
COPY base /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
_CERTIFICATES = ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")
_UNUSED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")


class Buildah:
    """Buildah with a store of its own in a folder, and no more rights than a machine in a container has."""

    def __init__(self, folder: Path) -> None:
        stored = ("--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs")
        self._own = ["buildah", *map(str, stored)]
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.bounds = ("--network", "host", "--ulimit", f"nofile={soft}", "--ulimit", "nproc=4096")
        self.environment = {"PATH": PATH, "HOME": str(folder), "BUILDAH_ISOLATION": "chroot"}

    def command(self, *words: str | Path) -> list[str]:
        return [*self._own, *map(str, words)]

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(self.command(*words), env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah() -> Iterator[Buildah]:
    """Buildah, with the base and the image that are built by it."""
    if os.geteuid() or not all(shutil.which(name, path=PATH) for name in ("buildah", "debootstrap")):
        pytest.skip("needs root, and: apt-get install buildah netavark debootstrap")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="pinrelay-image-") as name:
        folder = Path(name)
        _make_base(folder / "base")
        (folder / "Dockerfile").write_text(BASE, encoding="utf-8")
        engine = Buildah(folder)
        engine.run("build", "--quiet", *engine.bounds, "--tag", "localhost/base", folder)
        replaced = f"{STAGES[0][0].words[0]}=container-image://localhost/base"
        given = ("--build-context", replaced, "--build-arg", "VERSION=9.8.7", "--format", "docker")
        engine.run("build", "--quiet", *engine.bounds, *given, "--tag", "localhost/pinrelay", ROOT)
        yield engine
        engine.run("rm", "--all")


def _make_base(base: Path) -> None:
    """Put a Debian with its Python into a folder."""
    wanted = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", wanted, "trixie", base], check=True, capture_output=True)
    for unused in _UNUSED:
        shutil.rmtree(base / unused)
    for file in _CERTIFICATES:
        if (Path("/") / file).exists():
            shutil.copy(Path("/") / file, base / file)
    (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")


def test_it_is_small_and_says_what_it_was_built_of(
    buildah: Buildah, record_figure: Callable[[str, object], None]
) -> None:
    told = json.loads(buildah.run("images", "--json", "localhost/pinrelay"))[0]["size"]
    size, unit = told.split()
    assert unit == "MB"
    assert float(size) < 250
    record_figure("the image, unpacked", told)
    config = json.loads(buildah.run("inspect", "--type", "image", "localhost/pinrelay"))["Docker"]["config"]
    assert config["Labels"]["org.opencontainers.image.version"] == "9.8.7"
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")


def test_it_serves_without_rights_is_healthy_and_stops_when_it_is_asked(buildah: Buildah, tmp_path: Path) -> None:
    container, port = buildah.run("from", *buildah.bounds, "localhost/pinrelay"), free_port()
    given = ("run", "--env", f"PORT={port}", "--env", f"WRITE_KEYS=shop:{KEY}", container, "--")
    (serve,) = (item.command for item in STAGES[1] if item.name == "CMD")
    (check,) = (item.command for item in STAGES[1] if item.name == "HEALTHCHECK")
    with started(*buildah.command(*given, *serve), cwd=tmp_path, env=buildah.environment) as process:
        first_delivery(process, port, auth=(KEY, ""))
        buildah.run(*given, *check)
        (server,) = (each for each in psutil.Process(process.pid).children(recursive=True) if not each.children())
        assert server.uids().real == 10001
        assert "\nCapEff:\t0000000000000000\n" in Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
        server.terminate()
        assert process.wait(STOP_S) is not None


def test_it_tests_presets_without_a_network_as_pipelines_have_it_do(buildah: Buildah, tmp_path: Path) -> None:
    """The workflow for GitHub of docs/testing.md, by this engine."""
    shown = {block.title: block.text for block in BLOCKS if block.page == "testing"}
    workflow = shlex.split(shown["github"].replace("\\\n", "").split("registry.example.com/pinrelay:0.1.0")[1])
    preset = shown["my-presets/order_completed.yaml"]
    container = buildah.run("from", *buildah.bounds, "localhost/pinrelay")
    given = ("--volume", f"{tmp_path}:/shop:ro", "--workingdir", "/shop")
    (tmp_path / "my-presets").mkdir()
    tmp_path.chmod(0o755)  # as a checkout is: the image has a user of its own
    told = {}
    for path in ("$.properties.total", "$.properties.revenue"):
        text = preset.replace("$.properties.total", path)
        (tmp_path / "my-presets/order_completed.yaml").write_text(text, encoding="utf-8")
        words = ["unshare", "--net", *buildah.command("run", *given, container, "--", *workflow)]
        done = subprocess.run(words, env=buildah.environment, capture_output=True, text=True, check=False)
        told[path] = done.returncode, done.stdout[-99:], done.stderr
    assert told["$.properties.total"][:2] == (0, "2 tests, 0 failed\n"), told
    code, printed, _ = told["$.properties.revenue"]
    assert code == 1, told
    assert printed.endswith("2 tests, 1 failed\n"), told
