"""A cluster of PostgreSQL loses nodes, standbys, connections, time and disk: nothing that was answered 200 is lost."""

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.cluster.conftest import Crew, crew_over
from tests.cluster.patroni import Cluster
from tests.cluster.senders import Senders, pages
from tests.disks import small_disk_at
from tests.outbox.postgres_server import PostgresServer
from tests.process import PLAIN
from tests.rounds import Kind
from tests.tools import need_postgres
from tests.waiting import until
from tests.whole.conftest import until_settled

pytestmark = [pytest.mark.prove, pytest.mark.whole]

#: The longest that a failover may take: the leader's lease, and what Patroni needs to promote another.
FAILOVER_S = 90


def check(load: Senders, crew: Crew) -> list[str]:
    """Check what holds after every fault: nothing is lost, and senders were told when to come again.

    Return the ids that arrived, once for each time.
    """
    until_settled(crew.receivers[0], 90)
    arrived = [each for each in crew.pinterest.event_ids() if each.startswith(load.prefix)]
    assert set(load.acknowledged) - set(arrived) == set()
    assert load.without_retry_after == 0
    assert set(load.answers) <= {0, 200, 503}
    assert len(load.acknowledged) == len(set(load.acknowledged)) > 0
    return arrived


def goes_on(load: Senders, deadline_s: float) -> None:
    """Wait until more batches are answered 200 than until now."""
    before = load.answers[200]
    until(lambda: load.answers[200] > before + 5, deadline_s, "events are taken in again")


def test_a_leader_that_is_killed_with_its_agent_is_replaced_and_nothing_is_lost(
    cluster: Cluster,
    crew: Crew,
    rounds: Callable[[Kind], int],
    record_figure: Callable[[str, object], None],
) -> None:
    longest_s = 0.0
    with Senders(crew.urls) as load:
        for _ in range(rounds("failovers") // 2 or 1):
            goes_on(load, 30)
            leader = cluster.leader()
            killed_at = time.monotonic()
            leader.signal(signal.SIGKILL)
            goes_on(load, FAILOVER_S)
            longest_s = max(longest_s, time.monotonic() - killed_at)
            cluster.start(leader)
            cluster.until_whole()
    check(load, crew)
    assert load.answers[503] > 0
    told = f"{len(load.acknowledged)} events acknowledged, 0 lost; {longest_s:.0f} s without a leader at most"
    record_figure("failover", told)


def test_a_commit_whose_wait_for_the_standby_was_cancelled_is_no_commit(cluster: Cluster, crew: Crew) -> None:
    answers: list[httpx.Response] = []

    def post() -> None:
        answers.append(httpx.post(f"{crew.urls[0]}/webhook", json=pages(["waited"]), timeout=60, **PLAIN))

    frozen = [process for node in cluster.standbys() for process in node.processes()]
    for process in frozen:
        process.suspend()
    try:
        posting = threading.Thread(target=post)
        posting.start()
        with psycopg.connect(cluster.leader_url(), autocommit=True) as connection:
            until(lambda: cancel_waits(connection), 30, "a commit waits for the standby, and its wait is cancelled")
        posting.join(60)
    finally:
        for process in frozen:
            process.resume()
    (answer,) = answers
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)

    cluster.until_whole()
    again = until(lambda: posted(crew.urls[0], "waited"), 30, "it is taken in again") or {}
    assert again["counts"].get("duplicate", 0) + again["counts"].get("enqueued", 0) == 1
    until_settled(crew.receivers[0], 60)
    assert crew.pinterest.event_ids().count("waited") == 1


def cancel_waits(connection: psycopg.Connection[Any]) -> bool:
    """Cancel the wait of whatever waits for a standby; tell whether anything did."""
    rows = connection.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event = 'SyncRep' AND application_name = 'pinrelay'"
    ).fetchall()
    return bool(rows)


def posted(url: str, message_id: str) -> dict[str, Any] | None:
    """Post a page; return its receipt, None where it was not taken in."""
    answer = httpx.post(f"{url}/webhook", json=pages([message_id]), timeout=30, **PLAIN)
    return answer.json() if answer.status_code == 200 else None


def test_processes_of_ours_that_are_killed_lose_nothing(
    cluster: Cluster, crew: Crew, rounds: Callable[[Kind], int]
) -> None:
    ours = [*crew.receivers, *crew.senders]
    with Senders(crew.urls) as load:
        for number in range(max(2, rounds("kills"))):
            goes_on(load, 60)
            server = ours[number * 2 % 4 + number // 2 % 2]
            server.kill()
            server.start()
    check(load, crew)


def test_connections_that_are_cut_lose_nothing_and_send_nothing_twice(
    cluster: Cluster, crew: Crew, rounds: Callable[[Kind], int]
) -> None:
    with Senders(crew.urls) as load, psycopg.connect(cluster.leader_url(), autocommit=True) as connection:
        for _ in range(3 * rounds("storms")):
            goes_on(load, 60)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pinrelay'"
            )
    arrived = check(load, crew)
    assert len(arrived) == len(set(arrived))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 160 MB, where any user may write."""
    folder = Path(tempfile.mkdtemp(prefix="pinrelay-disk-"))
    try:
        with small_disk_at(folder, size_bytes=160 * 1024**2, mode="777"):
            yield folder
    finally:
        folder.rmdir()


def test_a_server_whose_disk_is_full_turns_events_away_until_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    need_postgres()
    with PostgresServer(tables_on=small_disk) as server, crew_over(server.url(), tmp_path, "all") as crew:
        with Senders(crew.urls) as load:
            goes_on(load, 30)
            ballast = small_disk / "ballast"
            fill(ballast)
            until(lambda: load.answers[503] > 5, 60, "events are turned away")
            ballast.unlink()
            goes_on(load, 60)
        check(load, crew)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(bytes(65_536))


def test_a_server_that_stands_still_is_answered_for_with_503_and_needs_no_hand_afterwards(
    tmp_path: Path, rounds: Callable[[Kind], int]
) -> None:
    need_postgres()
    frozen_s = 30 if rounds("failovers") > 1 else 11  # longer than a request may take
    with PostgresServer() as server, crew_over(server.url(), tmp_path, "all") as crew:
        with Senders(crew.urls) as load:
            goes_on(load, 30)
            server.signal(signal.SIGSTOP)
            stands_until = time.monotonic() + frozen_s
            until(lambda: load.answers[503] > 0 and time.monotonic() > stands_until, 60, "events are turned away")
            server.signal(signal.SIGCONT)
            goes_on(load, 30)
        check(load, crew)
