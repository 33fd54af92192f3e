"""Workers whose parent, or whose outbox, is gone."""

from collections.abc import Callable

import psutil
import pytest

from tests.outbox.postgres_server import PostgresServer
from tests.process import ITSELF, STOP_S, Server
from tests.tools import need_postgres
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post
from tests.whole.test_processes import pages
from tests.whole.two_workers import kill_one, start_two, workers

pytestmark = pytest.mark.prove


def works(process: psutil.Process) -> bool:
    """Whether the process has not ended; one that nobody has asked for its exit code has."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_workers_whose_parent_was_killed_finish_what_they_do_and_end(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(arguments=("serve", "--workers", "2"), program=ITSELF, **pinterest.settings)
    pinterest.misbehave({"delay_s": 1})
    post(server, pages(10))
    processes = psutil.Process(server.process.pid).children(recursive=True)
    until(lambda: delivery(server)["claimed"] == 10, what="a call is under way")

    server.kill()

    until(lambda: not any(map(works, processes)), deadline_s=STOP_S, what="every worker to end")
    assert "parent died" in server.log
    assert pinterest.counts()["received"] == 10
    server.start()  # the port is free
    assert delivery(server)["pending"] == 0
    assert pinterest.counts()["duplicates"] == 0


def test_a_worker_that_finds_no_outbox_does_not_end_the_other(start_server: Callable[..., Server]) -> None:
    need_postgres()
    with PostgresServer() as database:
        server = start_two(start_server, outbox_url=database.url())
        database.kill()
        kill_one(server)
        until(lambda: "Application startup failed" in server.log, 60, "another found no outbox")
        database.start()
        until(lambda: server.log.count("Application startup complete") == 3, 60, "a third did")
        assert len(workers(server)) == 2
