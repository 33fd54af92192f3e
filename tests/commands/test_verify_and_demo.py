"""`pinrelay verify` says what is wrong in plain words; `pinrelay demo` shows the whole flow."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from app.commands.verify import judge_answer
from app.destination.client import Answer, Failure
from tests.process import free_port

Run = Callable[..., Result]
LIVE = {"PINTEREST_AD_ACCOUNT_ID": "549755885175", "PINTEREST_CONVERSION_TOKEN": "token-5f0d"}


@pytest.mark.parametrize(
    ("answer", "good", "says"),
    [
        (Answer(status=200, retry_after=None, body={}), True, "takes events"),
        (Answer(status=401, retry_after=None, body={"message": "no"}), False, "PINTEREST_CONVERSION_TOKEN"),
        (Answer(status=403, retry_after=None, body={"message": "no"}), False, "role"),
        (Answer(status=404, retry_after=None, body=None), False, "PINTEREST_AD_ACCOUNT_ID"),
        (Answer(status=429, retry_after=None, body=None), False, "minute"),
        (Answer(status=503, retry_after=None, body=None), False, "later"),
        (Answer(status=418, retry_after=None, body=[]), False, "unexpected"),
        (Failure(reason="connection refused", ambiguous=False), False, "connection refused"),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_each_answer_means(answer: Answer | Failure, *, good: bool, says: str) -> None:
    judged, text = judge_answer(answer)
    assert judged is good
    assert says in text


def test_without_credentials_it_says_which_are_missing(run: Run) -> None:
    result = run("verify")
    assert result.exit_code == 1
    assert "PINTEREST_CONVERSION_TOKEN" in result.stderr


def test_a_pinterest_that_cannot_be_reached_is_told_without_the_token(run: Run) -> None:
    result = run("verify", **LIVE, PINTEREST_API_URL=f"http://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "could not be reached" in result.output
    assert "token-5f0d" not in result.output


def test_the_demo_delivers_everything_it_sends(run: Run) -> None:
    facts = json.loads(run("demo", "--rounds", "1", "--json", WEBHOOK_HEADER="X-Key: secret").stdout.splitlines()[-1])
    assert facts["sandbox"]["received"] == facts["receipt"]["enqueued"] == facts["events"] > 15
    assert facts["delivery"]["dead"] == 0


def test_the_demo_prints_what_happened(run: Run) -> None:
    result = run("demo", "--rounds", "1")
    assert result.exit_code == 0, result.output
    assert "1 calls" in result.stdout
