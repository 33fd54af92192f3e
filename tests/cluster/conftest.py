"""One cluster for all tests of this folder, which heals between them, and the processes that share it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from app.sandbox import Account, create_sandbox
from tests.cluster.patroni import Cluster, missing_programs
from tests.process import Server, clean_environment, free_port
from tests.sandbox.serving import serving_apart
from tests.whole.conftest import TOKEN, Pinterest


class Crew(NamedTuple):
    """Processes that share one outbox, and the sandbox that they send to."""

    receivers: list[Server]
    senders: list[Server]
    pinterest: Pinterest

    @property
    def urls(self) -> list[str]:
        """Where events are taken in."""
        return [receiver.url for receiver in self.receivers]


@pytest.fixture(scope="module")
def patroni() -> Iterator[Cluster]:
    """A cluster of three nodes."""
    if missing := missing_programs():
        pytest.skip(f"a cluster needs {', '.join(missing)}: .ci/install-test-tools says how to get them")
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared_crew(patroni: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Two receivers and two senders over the cluster."""
    with crew_over(patroni.url, tmp_path_factory.mktemp("crew"), "receive", "receive", "send", "send") as crew:
        yield crew


@pytest.fixture
def cluster(patroni: Cluster) -> Cluster:
    """The cluster, whole."""
    patroni.until_whole()
    return patroni


@pytest.fixture
def crew(cluster: Cluster, shared_crew: Crew) -> Crew:
    """The two receivers and two senders; the cluster is whole."""
    return shared_crew


@contextmanager
def crew_over(outbox_url: str, folder: Path, *roles: str) -> Iterator[Crew]:
    """Run a sandbox, and a process for each role over this outbox."""
    with ExitStack() as running:
        file = folder / "sandbox.ndjson"
        sandbox = create_sandbox(account=Account(token=SecretStr(TOKEN)), path=file)
        pinterest = Pinterest(url=running.enter_context(serving_apart(sandbox)), file=file)
        servers = []
        for number, role in enumerate(roles):
            port = free_port()
            environment = clean_environment(**pinterest.settings, port=port, log_format="json", outbox_url=outbox_url)
            arguments = ("serve", "--role", role)
            log_path = folder / f"{number}-{role}.log"
            server = Server(port=port, environment=environment, log_path=log_path, arguments=arguments)
            running.callback(server.end)
            server.start()
            servers.append(server)
        of_roles = list(zip(servers, roles, strict=True))
        receivers = [server for server, role in of_roles if role != "send"]
        senders = [server for server, role in of_roles if role != "receive"]
        yield Crew(receivers, senders, pinterest)
