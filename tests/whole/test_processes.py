"""Several processes on one SQLite file: workers, and receivers and senders apart."""

import json
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import ITSELF, PLAIN, Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post, until_settled
from tests.whole.two_workers import kill_one, start_two, workers

EVENT = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def pages(count: int) -> list[dict[str, Any]]:
    return [{**EVENT, "messageId": f"page-{number}"} for number in range(count)]


@pytest.mark.measured
def test_two_workers_share_one_file_and_send_everything_once(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(arguments=("serve", "--workers", "2"), program=ITSELF, **pinterest.settings)
    for start in range(0, 400, 20):
        post(server, pages(400)[start : start + 20])
    until_settled(server)

    assert pinterest.counts()["received"] == 400
    assert pinterest.counts()["duplicates"] == 0
    metrics = httpx.get(f"{server.url}/metrics", **PLAIN).text
    assert 'pinrelay_events_total{outcome="accepted"} 400.0' in metrics


def test_a_receiver_keeps_what_a_sender_sends(pinterest: Pinterest, start_server: Callable[..., Server]) -> None:
    receiver = start_server(arguments=("serve", "--role", "receive"), **pinterest.settings)
    post(receiver, pages(10))
    assert delivery(receiver)["pending"] == 10

    sender = start_server(arguments=("serve", "--role", "send"), **pinterest.settings)
    until_settled(receiver)

    assert pinterest.counts()["received"] == 10
    assert httpx.post(f"{sender.url}/webhook", json=EVENT, **PLAIN).status_code == 404


PRESET = 'name: Only\nsubscribe: type = "{}"\naction: report_conversion_event\nmapping: {{event_name: custom}}\n'
FAULTY = "name: Only\n"


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """The only preset, in a folder of its own; it takes pages."""
    file = tmp_path / "presets" / "only.yaml"
    file.parent.mkdir()
    file.write_text(PRESET.format("page"), encoding="utf-8")
    return file


def screen_exit(server: Server) -> str:
    """Tell what the process that answers makes of a screen event."""
    receipt = post(server, [{**EVENT, "type": "screen"}])
    (line,) = receipt["events"][0]["deliveries"]
    return str(line["outcome"])


def test_sighup_takes_up_changed_presets_in_every_process_and_keeps_the_old_ones_where_a_file_is_faulty(
    pinterest: Pinterest, start_server: Callable[..., Server], preset: Path
) -> None:
    settings = {**pinterest.settings, "presets_dir": preset.parent}
    first, second = start_server(**settings), start_server(**settings)

    preset.write_text(PRESET.format("screen"), encoding="utf-8")
    first.process.send_signal(signal.SIGHUP)
    until(lambda: screen_exit(first) == "enqueued", 10, "the process that was told has the new preset")
    until(lambda: screen_exit(second) == "enqueued", 10, "the other one, too")

    preset.write_text(FAULTY, encoding="utf-8")
    first.process.send_signal(signal.SIGHUP)
    until(lambda: "catalog not reloaded" in first.log)
    assert screen_exit(first) == "enqueued"
    until(lambda: "only.yaml" in mappings_page(second), 10, "the console shows the faults, whichever process answers")


def mappings_page(server: Server) -> str:
    return httpx.get(f"{server.url}/console/mappings", **PLAIN).text


def lines(server: Server, event: str) -> list[dict[str, Any]]:
    """Read what was logged so, in JSON."""
    return [json.loads(line) for line in server.log.splitlines() if f'"event":"{event}"' in line]


@pytest.mark.measured
def test_workers_reload_files(pinterest: Pinterest, start_server: Callable[..., Server], preset: Path) -> None:
    server = start_two(start_server, **pinterest.settings, presets_dir=preset.parent)
    before = workers(server)
    assert len(before) == 2

    preset.write_text(PRESET.format("screen"), encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log.count("catalog reloaded") == 2, 10, "both took the file up")
    assert {screen_exit(server) for _ in range(20)} == {"enqueued"}

    preset.write_text(FAULTY, encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log.count("catalog not reloaded") == 2, 10, "both kept what they run")
    assert {screen_exit(server) for _ in range(20)} == {"enqueued"}
    assert all("only.yaml" in mappings_page(server) for _ in range(10))
    assert workers(server) == before

    kill_one(server)
    until(lambda: len(lines(server, "worker cannot start")) >= 2, 60, "it is tried again")
    first, second, *_ = lines(server, "worker cannot start")
    assert all("only.yaml: /subscribe" in line["faults"][0] for line in (first, second))
    pause = datetime.fromisoformat(second["timestamp"]) - datetime.fromisoformat(first["timestamp"])
    assert pause > timedelta(seconds=first["again_in_s"]) == timedelta(seconds=0.5)
    assert screen_exit(server) == "enqueued"
    assert "Traceback" not in server.log

    preset.write_text(PRESET.format("page"), encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log.count("Application startup complete") == 3, 60, "it serves again")
    until(lambda: {screen_exit(server) for _ in range(20)} == {"unmatched"}, 10, "both have the mended file")
