"""Logs: one JSON line a fact; an exception by type and places, never by its words."""

import asyncio
import json
import logging
import os
import subprocess
import sys

import msgspec
import pytest

from app.core.deliveries import CallResult, Delivered, Rejected, Settlement, State
from app.core.log import configure_logging, log_attempts, log_error, log_request, logger
from app.errors import OutboxUnavailable
from tests.process import ROOT
from tests.sender.claims import a_claim

pytestmark = pytest.mark.usefixtures("restored_logging")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def rejected() -> Settlement:
    payload = b'{"user_data":{"client_ip_address":"203.0.113.9"}}'
    claimed = a_claim(message_id="m-1", attempt=2, payload=payload)
    return Settlement(claimed=claimed, result=Rejected(reason="too old", status=422), state=State.DEAD)


def settled(result: CallResult, *, traceparent: str | None = None) -> Settlement:
    return Settlement(claimed=a_claim(traceparent=traceparent), result=result, state=State.DELIVERED)


def test_a_fact_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    logger().info("catalog reloaded", generation="abc")
    (line,) = lines(capsys)
    assert (line["event"], line["generation"], line["level"]) == ("catalog reloaded", "abc", "info")


def test_less_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    logger().info("quiet")
    assert lines(capsys) == []


def test_the_words_of_an_exception_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    try:
        raise KeyError("jane@example.com")  # noqa: TRY301 - the exception is what is logged
    except KeyError as exc:
        log_error(exc)
        logger().exception("again")
        logging.getLogger("some.library").exception("a library's")
    output = capsys.readouterr().err
    assert "jane@example.com" not in output
    assert output.count("KeyError") == 3


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info")
    logger().info("hello")
    assert "hello" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "attempts"), [("debug", 1), ("info", 1), ("warning", 0), ("error", 0)])
def test_attempts_are_logged_as_information(capsys: pytest.CaptureFixture[str], level: str, attempts: int) -> None:
    configure_logging("json", level)
    log_attempts([rejected()], duration_s=0.25)
    assert len(lines(capsys)) == attempts


def test_an_attempt_is_logged_with_all_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    log_attempts([rejected()], duration_s=0.25)
    (line,) = lines(capsys)
    expected = {"preset": "Checkout", "message_id": "m-1", "attempt": 2, "result": "rejected", "duration_ms": 250}
    assert expected.items() <= line.items()
    assert "203.0.113.9" not in json.dumps(line)


async def test_the_requests_of_one_turn_of_the_event_loop_are_written_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("json", "info")
    for number, level in enumerate((logging.INFO, logging.INFO, logging.DEBUG, logging.WARNING)):
        log_request(level, method="POST", route=f"/{number}", status=200, duration_s=0.0123)
    assert lines(capsys) == []
    await asyncio.sleep(0)
    written = lines(capsys)
    assert [(line["route"], line["level"]) for line in written] == [("/0", "info"), ("/1", "info"), ("/3", "warning")]
    assert written[0]["duration_ms"] == 12.3


@pytest.mark.parametrize(("each", "logged"), [(1, 300), (100, 3), (7, 43), (0, 0)])
async def test_one_in_so_many_successes_is_logged(capsys: pytest.CaptureFixture[str], each: int, logged: int) -> None:
    configure_logging("json", "info", successes_each=each)
    delivered = settled(Delivered(status=200))
    log_attempts([delivered] * 299, duration_s=0.1)
    log_request(logging.INFO, method="POST", route="/webhook", status=200, duration_s=0.1)
    await asyncio.sleep(0)
    assert len(lines(capsys)) == logged


async def test_each_fault_is_logged_if_no_success_is(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info", successes_each=0)
    warned = settled(Delivered(status=200, warning="event_time is in the future"))
    log_attempts([rejected(), warned, settled(Delivered(status=200))], duration_s=0.1)
    for status in (200, 202, 302, 400, 401, 503):
        log_request(logging.INFO, method="POST", route="/webhook", status=status, duration_s=0.1)
    await asyncio.sleep(0)
    assert [line["status"] for line in lines(capsys)] == [422, 200, 400, 401, 503]


@pytest.mark.parametrize(
    ("traceparent", "ids"),
    [
        (f"00-{'a1' * 16}-{'b2' * 8}-01", {"trace_id": "a1" * 16, "span_id": "b2" * 8}),
        (None, {"trace_id": None, "span_id": None}),
    ],
)
def test_an_attempt_has_the_trace_of_its_delivery(
    capsys: pytest.CaptureFixture[str], traceparent: str | None, ids: dict[str, str | None]
) -> None:
    configure_logging("json", "info")
    log_attempts([settled(Delivered(status=200), traceparent=traceparent)], duration_s=0.1)
    (line,) = lines(capsys)
    assert {name: line.get(name) for name in ids} == ids


_WRITES = """
import asyncio
from app.core.log import configure_logging, log_attempts, log_error, log_request
from tests.core.test_log import rejected

async def write():
    for _ in range(20):
        log_attempts([rejected()] * 500, duration_s=0.1)
        log_request(20, method="POST", route="/webhook", status=200, duration_s=0.1)
        log_error(ValueError())
        await asyncio.sleep(0)

configure_logging("json", "info")
asyncio.run(write())
"""


@pytest.mark.whole
def test_lines_of_processes_that_share_a_pipe_stay_whole() -> None:
    reading, writing = os.pipe()
    processes = [subprocess.Popen([sys.executable, "-c", _WRITES], stderr=writing, cwd=ROOT) for _ in range(2)]
    os.close(writing)
    with os.fdopen(reading) as pipe:
        entries = [json.loads(line) for line in pipe]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(entries) == 2 * 20 * 502


@pytest.mark.whole
def test_a_log_that_nobody_reads_any_more_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([sys.executable, "-c", _WRITES], stderr=writing, cwd=ROOT)
    os.close(writing)
    assert process.wait(60) == 0


def test_no_text_in_a_line_is_longer_than_a_thousand_characters(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    settlement = rejected()
    logger().info("told", fact="x" * 50_000, fits="y" * 1_000, count=7)
    wordy = Settlement(claimed=settlement.claimed, result=Rejected(reason="z" * 50_000, status=422), state=State.DEAD)
    log_attempts([wordy], duration_s=0)
    told, attempt = lines(capsys)

    assert (told["fact"], told["fits"], told["count"]) == (f"{'x' * 1_000}…", "y" * 1_000, 7)
    assert attempt["reason"] == f"{'z' * 1_000}…"


def test_on_a_terminal_no_text_of_a_line_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info")
    logger().info("told", words="a\x1b[2Jb\rc\u202ed")
    log_attempts([msgspec.structs.replace(rejected(), result=Rejected(reason="x\x1b[31my", status=422))], duration_s=0)
    told = capsys.readouterr().err
    assert "a\\x1b[2Jb\\rc\\u202ed" in told
    assert "x\\x1b[31my" in told


def test_an_outbox_that_cannot_be_used_is_logged_with_what_is_the_matter_and_what_helps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("json", "info")
    log_error(OutboxUnavailable("The disk is full: free some space.", why="disk full"))
    line = json.loads(capsys.readouterr().err)
    assert line.items() >= {"event": "outbox unavailable", "why": "disk full", "level": "error"}.items()
    assert line["message"] == "The disk is full: free some space."
