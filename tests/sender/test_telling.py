"""The log says once that a state begins, and once that all is well again."""

import json
from typing import Any

import pytest

from app.core.log import configure_logging
from app.core.shared_values import ClockJump
from app.sender.status import log_jump, log_trouble
from tests.sender.claims import NOW, a_trouble


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_trouble_is_a_warning_with_pinterests_words_and_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    log_trouble("", None, a_trouble(state="failing", reason="the connection broke", status=None))

    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["state"]) == ("delivery stopped", "warning", "failing")
    assert (line["words"], line["since"], line["status"]) == ("the connection broke", NOW, None)
    assert line["message"] == "Calls to Pinterest fail: the connection broke."
    assert line["remedy"]


def test_the_end_of_it_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    log_trouble("", a_trouble(state="failing"), None)

    (line,) = lines(capsys)
    assert (line["event"], line["after"], line["since"]) == ("delivery resumed", "failing", NOW)


def test_a_jump_of_the_clock_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    log_jump(ClockJump(before=NOW, after=NOW - 3_600))

    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["by_s"]) == ("clock jumped", "warning", -3_600)
    assert "NTP" in line["remedy"]


def test_a_small_step_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    log_jump(ClockJump(before=NOW, after=NOW + 1))

    assert lines(capsys) == []
