"""`pinrelay test-alert`, to a server that takes it and one that does not."""

import json

import pytest

from tests.commands.conftest import Run, Slack


def test_a_message_that_is_taken_is_said_to_be(run: Run, slack: Slack) -> None:
    result = run("test-alert", ALERT_WEBHOOK_URL=slack.url)
    assert (result.exit_code, slack.texts) == (0, ["Pinrelay: This is a test. Alerts arrive here."])
    assert "accepted the message" in result.stdout


@pytest.mark.parametrize("status", [404, 302, 307])
def test_a_message_that_is_not_taken_is_an_error_without_the_address(run: Run, slack: Slack, status: int) -> None:
    slack.status = status
    result = run("test-alert", ALERT_WEBHOOK_URL=slack.url)
    assert (result.exit_code, len(slack.texts)) == (1, 1)  # no redirect is followed
    assert f"did not accept the message: it answered {status}" in result.stderr
    assert "s3cret" not in result.output


def test_without_an_address_there_is_nothing_to_test(run: Run) -> None:
    result = run("test-alert")
    assert result.exit_code == 1
    assert "ALERT_WEBHOOK_URL is not set" in str(result.exception)


@pytest.mark.parametrize(("status", "told"), [(200, (0, True)), (404, (1, False))])
def test_programs_are_told_whether_it_was_taken(run: Run, slack: Slack, status: int, told: tuple[int, bool]) -> None:
    slack.status = status
    result = run("test-alert", "--json", ALERT_WEBHOOK_URL=slack.url)
    *_, last = result.stdout.splitlines()  # behind what was logged, which the program itself writes elsewhere
    assert (result.exit_code, json.loads(last)["sent"]) == told
