"""A store that is lost under the running server: noticed, put back from a backup, and everything of it sent."""

from collections.abc import Callable
from pathlib import Path

import httpx

from tests.process import PLAIN, Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, post, until_settled
from tests.whole.test_faults import page


def test_a_backup_that_is_restored_sends_all_that_waited(
    pinterest: Pinterest, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    pinterest.misbehave({"status": 503, "times": None})
    settings = pinterest.settings | {"retry_base_s": 0.05, "retry_max_pause_s": 0.3}
    server = start_server(**settings)
    waiting = [f"waiting-{number}" for number in range(50)]
    post(server, [page(message_id) for message_id in waiting])
    copy, file = tmp_path / "copy.db", tmp_path / "pinrelay.db"
    server.run("backup", str(copy))

    file.unlink()

    answer = httpx.post(f"{server.url}/webhook", json=page("after"), **PLAIN)
    assert answer.status_code == 503
    ready = httpx.get(f"{server.url}/readyz", **PLAIN)
    assert (ready.status_code, ready.json()["why"]) == (503, "gone")
    server.kill()
    server.run("restore", str(copy))
    pinterest.misbehave()
    server.start()
    post(server, [page("after")])
    until_settled(server)
    assert sorted(pinterest.event_ids()) == sorted([*waiting, "after"])


def test_a_store_that_is_lost_still_sends_what_it_took_in(
    pinterest: Pinterest, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    pinterest.misbehave({"status": 503, "times": None})
    server = start_server(**pinterest.settings, retry_base_s=0.05, retry_max_pause_s=0.3)
    waiting = [f"waiting-{number}" for number in range(50)]
    post(server, [page(message_id) for message_id in waiting])
    (tmp_path / "pinrelay.db").unlink()
    pinterest.misbehave()
    until(lambda: sorted(pinterest.event_ids()) == sorted(waiting), 30)
    assert httpx.get(f"{server.url}/readyz", **PLAIN).status_code == 503
