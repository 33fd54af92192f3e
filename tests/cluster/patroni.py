"""A PostgreSQL cluster that heals itself, for tests: etcd, and three nodes under Patroni, on ports of the loopback."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml

from tests.disks import fast_folder
from tests.outbox.postgres_server import program
from tests.process import PATH, PLAIN, ROOT, free_port
from tests.waiting import until

NODES = 3
#: A node is started, or follows anew, within so long.
READY_S = 90


def missing_programs() -> list[str]:
    """Return the programs that a cluster needs and that are not here."""
    missing = [name for name in ("patroni", "etcd") if not shutil.which(name, path=PATH)]
    return missing if program("postgres") else [*missing, "postgres"]


@dataclass(kw_only=True)
class Node:
    """One server of the cluster, and the agent that looks after it."""

    name: str
    folder: Path
    port: int
    api_port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def state(self) -> dict[str, Any]:
        """What its agent says of it; {} where it does not answer."""
        try:
            answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.api_port}/patroni", **PLAIN).json()
        except httpx.HTTPError:
            return {}
        return answer

    def processes(self) -> list[psutil.Process]:
        """Return the agent and all processes of its server."""
        found = []
        with suppress(psutil.NoSuchProcess):
            if self.process:
                found = psutil.Process(self.process.pid).children(recursive=True)
        pid_file = self.folder / "data" / "postmaster.pid"
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ValueError, IndexError):
            postmaster = psutil.Process(int(pid_file.read_text(encoding="utf-8").split()[0]))
            found += [postmaster, *postmaster.children(recursive=True)]
        if self.process:
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(self.process.pid))
        return found

    def signal(self, number: int) -> None:
        """Send a signal to the agent and to every process of its server, the agent first."""
        for each in reversed(self.processes()):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)


class Cluster:
    """Started on entry, gone on exit."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pinrelay-cluster-", dir=fast_folder()))
        self._user: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": PATH, "HOME": str(self._folder)}}
        if os.geteuid() == 0:  # neither server wants to be run by root
            shutil.chown(self._folder, "postgres")
            self._user |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._etcd_port = free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self.nodes = [
            Node(name=f"n{number}", folder=self._folder / f"n{number}", port=free_port(), api_port=free_port())
            for number in range(1, NODES + 1)
        ]

    def __enter__(self) -> Self:
        self._start_etcd()
        try:
            for node in self.nodes:
                node.folder.mkdir()
                (node.folder / "patroni.yml").write_text(yaml.safe_dump(self._settings(node)), encoding="utf-8")
                if os.geteuid() == 0:
                    shutil.chown(node.folder, "postgres")
                self.start(node)
            self.until_whole()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.signal(signal.SIGKILL)
        for process in [*(node.process for node in self.nodes), self._etcd]:
            if process:
                process.kill()
                process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, command: Sequence[object], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            return subprocess.Popen(
                [*map(str, command)], stdin=subprocess.DEVNULL, stdout=file, stderr=file, **self._user
            )

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        options = {
            "data-dir": self._folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "log-level": "error",
        }
        command = ["etcd", "--unsafe-no-fsync", *(f"--{name}={value}" for name, value in options.items())]
        self._etcd = self._start(command, self._folder / "etcd.log")

    def _settings(self, node: Node) -> dict[str, Any]:
        """Return what Patroni is told: what docker-compose.cluster.yml tells it, for ports of the loopback."""
        compose = yaml.safe_load((ROOT / "docker-compose.cluster.yml").read_text(encoding="utf-8"))
        shipped = yaml.safe_load(compose["configs"]["patroni"]["content"])
        user = {"username": "postgres"}
        server = program("postgres")
        assert server
        return {
            "scope": "pinrelay",
            "name": node.name,
            "log": {"level": "WARNING"},
            "restapi": {"listen": f"127.0.0.1:{node.api_port}", "connect_address": f"127.0.0.1:{node.api_port}"},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": shipped["bootstrap"]["dcs"] | {"loop_wait": 1},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "trust"}, "no-sync"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(node.folder / "data"),
                "bin_dir": str(server.resolve().parent),
                "authentication": {"superuser": user, "replication": user, "rewind": user},
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
                "parameters": {
                    "unix_socket_directories": str(node.folder),
                    "shared_buffers": "32MB",
                    "dynamic_shared_memory_type": "mmap",  # what is killed leaves nothing in /dev/shm
                    "synchronous_commit": "on",
                },
            },
        }

    def start(self, node: Node) -> None:
        """Start the agent of a node, which starts its server."""
        if node.process:
            node.process.wait(30)
        (node.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        node.process = self._start(["patroni", node.folder / "patroni.yml"], node.folder / "log")

    @property
    def url(self) -> str:
        """The URL of the whole cluster: whoever uses it finds the leader."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://postgres@{hosts}/postgres"

    def leader_url(self) -> str:
        """The URL of the leader alone."""
        return f"postgresql://postgres@127.0.0.1:{self.leader().port}/postgres"

    def leader(self) -> Node:
        """Wait for a leader, and return it."""
        found = until(lambda: self._with_role("primary", "master"), READY_S, "the cluster has a leader")
        assert found
        return found[0]

    def standbys(self) -> list[Node]:
        """Return the nodes that follow."""
        return self._with_role("replica")

    def _with_role(self, *roles: str) -> list[Node]:
        return [
            node
            for node in self.nodes
            if (state := node.state).get("role") in roles and state.get("state") in {"running", "streaming"}
        ]

    def until_whole(self) -> None:
        """Wait until one node leads, the others follow it, and one of them synchronously."""

        def whole() -> bool:
            leaders = self._with_role("primary", "master")
            followers = [each.get("sync_state") for node in leaders for each in node.state.get("replication", [])]
            return len(leaders) == 1 and len(followers) == NODES - 1 and "sync" in followers

        until(whole, READY_S, "the cluster is whole")
