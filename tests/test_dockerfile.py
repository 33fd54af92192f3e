"""The image: without rights, pinned, of nothing but what it needs. packaging/test_image_steps.py does its steps."""

import re
import shlex

import pytest

from tests.dockerfile import Stage, read_stages
from tests.process import ROOT

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


def test_the_health_check_is_the_same_question_as_ours() -> None:
    assert "/healthz" in shlex.join(next(item.command for item in FINAL if item.name == "HEALTHCHECK"))


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "docker-compose.cluster.yml"])
def test_every_image_of_somebody_else_is_pinned_by_its_digest(name: str) -> None:
    text = (ROOT / name).read_text()
    images = re.findall(r"^\s*(?:FROM|image:)\s+(\S+)", text, re.MULTILINE)
    foreign = [image for image in images if not image.startswith("pinrelay")]
    assert foreign
    assert [image for image in foreign if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []
