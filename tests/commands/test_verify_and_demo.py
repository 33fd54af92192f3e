"""`pinrelay verify` says what is wrong in plain words; `pinrelay demo` shows the whole flow."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands.demo import OBEYED
from app.commands.verify import judge_answer
from app.config import Settings
from app.destination.client import Answer, Failure
from tests.catalog.test_destinations import SANDBOX, US, folder_of
from tests.commands.conftest import Run
from tests.process import free_port

LIVE = {"PINTEREST_AD_ACCOUNT_ID": "549755885175", "PINTEREST_CONVERSION_TOKEN": "token-5f0d"}


@pytest.mark.parametrize(
    ("answer", "good", "says"),
    [
        (Answer(status=200, retry_after=None, body={}), True, "accepts events"),
        (Answer(status=401, retry_after=None, body={"message": "no"}), False, "PINTEREST_CONVERSION_TOKEN"),
        (Answer(status=403, retry_after=None, body={"message": "no"}), False, "role"),
        (Answer(status=404, retry_after=None, body=None), False, "PINTEREST_AD_ACCOUNT_ID"),
        (Answer(status=429, retry_after=None, body=None), False, "minute"),
        (Answer(status=503, retry_after=None, body=None), False, "later"),
        (Answer(status=418, retry_after=None, body=[]), False, "unexpected"),
        (Failure(reason="connection refused", ambiguous=False), False, "Pinterest gave no answer: connection refused."),
        (Failure(reason="Pinterest could not be reached: TLS", ambiguous=False), False, "be reached: TLS. Check"),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_each_answer_is_told_with_what_it_means_for_the_credentials(
    answer: Answer | Failure, *, good: bool, says: str
) -> None:
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


def test_each_live_ad_account_is_tried_and_told_by_name(run: Run, tmp_path: Path) -> None:
    us = US.replace("sources: [shop]\n", "").replace("env: PINTEREST_TOKEN_US", "env: TOKEN_US")
    folder = folder_of(tmp_path, us=us, zz=SANDBOX)
    unreachable = f"http://127.0.0.1:{free_port()}"
    result = run("verify", "--json", DESTINATIONS_DIR=str(folder), TOKEN_US="token-5f0d", PINTEREST_API_URL=unreachable)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["good"] is False
    assert told["text"].startswith("US: Pinterest could not be reached")
    assert "Trial" not in told["text"]


def test_each_live_ad_account_has_a_line_of_its_own(run: Run, tmp_path: Path) -> None:
    us = US.replace("sources: [shop]\n", "").replace("env: PINTEREST_TOKEN_US", "env: TOKEN_US")
    folder = folder_of(tmp_path, us=us, eu=us.replace("US\n", "EU\n", 1).replace("549755885175", "549755885176"))
    unreachable = f"http://127.0.0.1:{free_port()}"
    result = run("verify", DESTINATIONS_DIR=str(folder), TOKEN_US="token-5f0d", PINTEREST_API_URL=unreachable)
    assert [line.partition(" could not be reached")[0] for line in result.stderr.splitlines()] == [
        "pinrelay: EU: Pinterest",
        "US: Pinterest",
    ]


@pytest.fixture
def unwanted() -> Iterator[socket.socket]:
    """A port that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_demo_delivers_everything_it_sends(run: Run, rounds: int) -> None:
    facts = json.loads(run("demo", "--rounds", rounds, "--json").stdout.splitlines()[-1])
    assert facts["sandbox"]["received"] == facts["receipt"]["enqueued"] == facts["events"] > 15
    assert facts["delivery"]["dead"] == 0


def test_the_demo_sends_to_its_own_sandbox_whatever_the_environment_says(
    run: Run, unwanted: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = f"http://127.0.0.1:{unwanted.getsockname()[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", elsewhere)
    monkeypatch.setenv("HTTP_PROXY", elsewhere)
    monkeypatch.setenv("PINTEREST_CONVERSION_TOKEN_FILE", str(tmp_path / "nowhere"))
    result = run(
        "demo",
        "--rounds",
        "1",
        "--json",
        **LIVE,
        PINTEREST_API_URL=elsewhere,
        ALERT_WEBHOOK_URL=elsewhere,
        OUTBOX_URL=f"sqlite:///{tmp_path}/mine.db",
        WEBHOOK_HEADER="X-Key: secret",
        WEBHOOK_SHARED_SECRETS="secret",
        HOST="0.0.0.0",
        MAX_EVENTS_PER_REQUEST="1",
        PORT="eighty",
        CONSENT_CATEGORIES="ads",
        EVENTS_WHILE_OFF="withhold",
    )
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts["sandbox"]["received"] == facts["events"] > 15
    assert list(tmp_path.iterdir()) == [tmp_path / "o.db"]
    unwanted.settimeout(0)
    with pytest.raises(BlockingIOError):
        unwanted.accept()


def test_the_demo_knows_the_presets_and_event_names_of_the_environment(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tasting.yaml").write_text(
        "name: Tasting\n"
        'subscribe: event = "Wine Tasted"\n'
        "action: report_conversion_event\n"
        "mapping: {event_name: tasting}\n"
        "example: {type: track, event: Wine Tasted, context: {traits: {email: ada@example.com}}}\n",
        encoding="utf-8",
    )
    result = run("demo", "--json", PRESETS_DIR=str(tmp_path), CUSTOM_EVENT_NAMES="tasting")
    assert json.loads(result.stdout.splitlines()[-1])["sandbox"]["by_event_name"] == {"tasting": 5}


def test_every_setting_that_the_demo_obeys_exists() -> None:
    assert Settings.model_fields.keys() >= OBEYED


def test_the_demo_prints_what_happened(run: Run) -> None:
    result = run("demo", "--rounds", "1")
    assert result.exit_code == 0, result.output
    assert "29 events in 1 calls" in result.stdout
