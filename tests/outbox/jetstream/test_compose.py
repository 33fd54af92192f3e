"""docker-compose.cluster.yml: three servers that sync every write, two receivers, two senders."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process import PATH
from tests.tools import docker_compose, need_nats


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    """The file as docker-compose reads it."""
    done = subprocess.run(
        [docker_compose(), "-f", "docker-compose.cluster.yml", "config"],
        cwd=root,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    read: dict[str, Any] = yaml.safe_load(done.stdout)
    return read


def test_two_receivers_and_two_senders_share_three_servers(compose: dict[str, Any]) -> None:
    commands = {name: service["command"] for name, service in compose["services"].items()}
    assert commands == {
        **{f"nats-{n}": ["--config", "/etc/nats/cluster.conf"] for n in (1, 2, 3)},
        **{f"receiver-{n}": ["pinrelay", "serve", "--role", "receive"] for n in (1, 2)},
        **{f"sender-{n}": ["pinrelay", "serve", "--role", "send"] for n in (1, 2)},
    }
    for name, service in compose["services"].items():
        if not name.startswith("nats"):
            assert service["environment"]["OUTBOX_URL"] == "nats://nats-1,nats-2,nats-3"
            assert service["environment"]["OUTBOX_REPLICAS"] == "3"
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"


def test_the_servers_take_their_configuration_and_sync_every_write(compose: dict[str, Any], tmp_path: Path) -> None:
    need_nats()
    content = compose["configs"]["nats"]["content"].replace("$$", "$")
    assert "sync_interval: always" in content
    (tmp_path / "cluster.conf").write_text(content)
    environment = {"PATH": PATH, "SERVER_NAME": "nats-1"}
    subprocess.run(["nats-server", "-t", "-c", str(tmp_path / "cluster.conf")], env=environment, check=True)
