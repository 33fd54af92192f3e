"""Several processes on one SQLite file: workers, and receivers and senders apart."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.process import Server
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, post, until_settled

EVENT = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def pages(count: int) -> list[dict[str, Any]]:
    return [{**EVENT, "messageId": f"page-{number}"} for number in range(count)]


def test_two_workers_share_one_file_and_send_everything_once(
    pinterest: Pinterest, start_server: Callable[..., Server]
) -> None:
    server = start_server(arguments=("serve", "--workers", "2"), **pinterest.settings)
    for start in range(0, 400, 20):
        post(server, pages(400)[start : start + 20])
    until_settled(server)

    assert pinterest.counts()["received"] == 400
    assert pinterest.counts()["duplicates"] == 0
    metrics = httpx.get(f"{server.url}/metrics", trust_env=False).text
    assert 'pinrelay_events_total{exit="accepted"} 400.0' in metrics


def test_a_receiver_keeps_what_a_sender_sends(pinterest: Pinterest, start_server: Callable[..., Server]) -> None:
    receiver = start_server(arguments=("serve", "--role", "receive"), **pinterest.settings)
    post(receiver, pages(10))
    assert delivery(receiver)["pending"] == 10

    sender = start_server(arguments=("serve", "--role", "send"), **pinterest.settings)
    until_settled(receiver)

    assert pinterest.counts()["received"] == 10
    assert httpx.post(f"{sender.url}/webhook", json=EVENT, trust_env=False).status_code == 404


def test_sighup_takes_up_changed_presets_in_every_process_and_keeps_the_old_ones_where_a_file_is_faulty(
    pinterest: Pinterest, start_server: Callable[..., Server], tmp_path: Any
) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    preset = folder / "only.yaml"
    text = 'name: Only\nsubscribe: type = "{}"\naction: report_conversion_event\nmapping: {{event_name: custom}}\n'
    preset.write_text(text.format("page"), encoding="utf-8")
    settings = {**pinterest.settings, "presets_dir": folder}
    first, second = start_server(**settings), start_server(**settings)

    preset.write_text(text.format("screen"), encoding="utf-8")
    first.process.send_signal(1)

    def exits(server: Server) -> list[str]:
        receipt = post(server, [{**EVENT, "type": "screen"}])
        return [line["exit"] for event in receipt["events"] for line in event["deliveries"]]

    until(lambda: exits(first) == ["enqueued"], 10, "the process that was told has the new preset")
    until(lambda: exits(second) == ["enqueued"], 10, "the other one, too")

    preset.write_text("name: Only\n", encoding="utf-8")
    first.process.send_signal(1)
    until(lambda: "catalog kept" in first.log)
    assert exits(first) == ["enqueued"]
