"""With a synchronous standby a commit is on two servers, or it counts as failed."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from app.core.events import Outcome
from app.errors import OutboxUnavailable
from app.outbox.postgres import PostgresOutbox
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.postgres_server import PostgresServer, with_standby
from tests.tools import need_postgres
from tests.waiting import until


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A server and its synchronous standby."""
    need_postgres()
    with PostgresServer() as primary, with_standby(primary) as standby:
        until(lambda: primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)], 30)
        yield primary, standby


@pytest.mark.whole
@pytest.mark.usefixtures("impatient")
async def test_a_commit_whose_standby_stands_still_counts_as_failed_and_is_not_lost(
    servers: tuple[PostgresServer, PostgresServer],
) -> None:
    primary, standby = servers
    outbox = PostgresOutbox(primary.url(), rules(), clock=lambda: NOW)
    at = At(outbox)
    await at.enqueue(new(event_id="before"))
    assert standby.process
    processes = [psutil.Process(standby.process.pid), *psutil.Process(standby.process.pid).children()]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(OutboxUnavailable, match="no second copy"):
            await at.enqueue(new(event_id="during"))
        with pytest.raises(OutboxUnavailable, match="no second copy"):
            await outbox.check()
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)
    (again,) = await at.enqueue(new(event_id="during"))
    (after,) = await at.enqueue(new(event_id="after"))
    assert (again.outcome, after.outcome) == (Outcome.DUPLICATE, Outcome.ENQUEUED)
    assert len(await at.claim()) == 3
    await outbox.close()
