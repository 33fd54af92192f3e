"""`pinrelay deliveries`: list, show, causes, redrive and dismiss, over a real outbox."""

import json
import re
from pathlib import Path

import pytest

from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.core.deliveries import State
from app.errors import UnknownName
from app.operations.deliveries import MAX_WHY
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import ACCOUNT, At, new
from tests.process import ROOT


@pytest.fixture(autouse=True)
def dead(tmp_path: Path) -> None:
    """Two dead letters of one cause and one of another; one more, of which the replay waits."""

    async def fill(outbox: Outbox) -> None:
        at = At(outbox)
        for number in (1, 2):
            await at.dead_letter(
                new(message_id=f"m-{number}", event_id=f"e-{number}", preset="Lead"), "currency is unknown"
            )
        await at.dead_letter(new(message_id="m-3", event_id="e-3", preset="Checkout"), "too old")
        await at.enqueue(new(message_id="m-3", event_id="e-3", preset="Checkout"))

    in_outbox(tmp_path, fill)


def test_they_are_listed_with_their_reason_and_the_time_of_death(run: Run) -> None:
    shown = run("deliveries", "list", "--state", "dead").stdout
    assert re.search(r"Lead .* 2027-01-15 08:00:00 .* currency is unknown .* m-1 .* 1 ", shown)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--preset=Checkout",), 1),
        (("--reason=CURRENCY",), 2),
        (("--message-id=m-1", "--event-id=e-1"), 1),
        ((f"--ad-account-id={ACCOUNT}",), 3),
        ((f"--ad-account-id={SANDBOX_AD_ACCOUNT_ID}",), 0),
        (("--status=422",), 3),
        ((), 3),
    ],
    ids=str,
)
def test_filters_choose_among_them(run: Run, words: tuple[str, ...], found: int) -> None:
    assert len(run("deliveries", "list", "--state", "dead", "--json", *words).stdout.splitlines()) == found


@pytest.mark.parametrize(
    "command", ["deliveries list", "deliveries causes", "deliveries redrive", "deliveries dismiss"]
)
def test_json_has_the_documented_names(run: Run, command: str) -> None:
    row = rf"^\| `{command}` \| (.*) \|$"
    (told,) = re.findall(row, (ROOT / "docs/command-output.md").read_text("utf-8"), re.MULTILINE)
    more = {"deliveries redrive": ["--all"], "deliveries dismiss": ["--all", "--because", "x"]}.get(command, [])
    lines = run(*command.split(), *more, "--json").stdout.splitlines()
    assert json.loads(lines[0]).keys() >= set(re.findall(r"`(\w+)`", told))


def test_one_is_shown_whole(run: Run) -> None:
    number = json.loads(run("deliveries", "list", "--state", "dead", "--message-id=m-1", "--json").stdout)[
        "delivery_id"
    ]
    assert json.loads(run("deliveries", "show", number, "--json").stdout)["history"][0]["status"] == 422
    assert run("deliveries", "show", "999").exit_code == 1


def test_they_are_counted_by_cause(run: Run) -> None:
    causes = [json.loads(line) for line in run("deliveries", "causes", "--json").stdout.splitlines()]
    assert [(each["count"], each["reason"], each["preset"]) for each in causes] == [
        (2, "currency is unknown", "Lead"),
        (1, "too old", "Checkout"),
    ]
    assert re.search(r"2 .* currency is unknown .* Lead .* 2027-01-15 08:00:00", run("deliveries", "causes").stdout)


def test_a_redrive_tells_what_it_did_and_why_not_the_rest(run: Run) -> None:
    shown = run("deliveries", "redrive", "--all").stdout
    assert "2 redriven: Sent again" in shown
    assert "1 waiting: Still dead, because the same event waits as another delivery" in shown
    assert json.loads(run("deliveries", "redrive", "--all", "--json").stdout) == {
        "redriven": 0,
        "overtaken": 0,
        "waiting": 1,
        "too_old": 0,
        "is_complete": True,
    }


@pytest.mark.parametrize(
    "words",
    [
        (
            "deliveries",
            "redrive",
        ),
        ("deliveries", "dismiss", "--because", "x"),
    ],
    ids=str,
)
def test_a_delivery_that_there_is_not_is_nothing_found(run: Run, words: tuple[str, ...]) -> None:
    missing = run(*words, "--delivery-id=999999")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert str(missing.exception) == "delivery 999999 not found; search by its message id"
    assert run(*words, "--reason=nothing like it").exit_code == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--preset=Order Complet", 'unknown preset; the nearest is "Order Completed"'),
        ("--ad-account-id=100000000000", f'unknown ad account; the nearest is "{SANDBOX_AD_ACCOUNT_ID}"'),
        ("--source=shopifi", 'unknown source; the nearest is "shopify"'),
        ("--event-name=chekout", 'unknown Pinterest event; the nearest is "checkout"'),
        ("--name=Ordr", "unknown event; none exists so far"),
        ("--currency=EURO", 'unknown currency; the nearest is "EUR"'),
    ],
)
@pytest.mark.parametrize(
    "command", ["deliveries list --state dead", "deliveries redrive", "deliveries dismiss --because x"]
)
def test_of_a_filter_that_names_nothing_known_the_nearest_is_named(
    run: Run, command: str, given: str, told: str
) -> None:
    refused = run(*command.split(), given, SOURCES="shopify")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, UnknownName)
    assert told in str(refused.exception)
    assert len(run("deliveries", "list", "--state", "dead", "--json").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    "given",
    [
        "--preset=Order Completed",
        f"--ad-account-id={SANDBOX_AD_ACCOUNT_ID}",
        "--source=shopify",
        "--currency=eur",
        "--event-name=add_to_cart",
        "--preset=Lead --reason=nothing",
    ],
)
def test_what_is_known_may_have_no_dead_letter(run: Run, given: str) -> None:
    assert run("deliveries", "redrive", *re.split(r" (?=--reason)", given), SOURCES="shopify").stdout.startswith(
        "0 redriven: "
    )


def test_what_is_dismissed_says_who_did_it_and_why_without_anybodys_address(run: Run, tmp_path: Path) -> None:
    result = run("deliveries", "dismiss", "--reason=currency", "--because", "ann@shop.example asked for it")
    assert result.stdout.startswith("2 dismissed: Never sent")
    assert "m-1" not in run("deliveries", "list", "--state", "dead").stdout

    async def reason(outbox: Outbox) -> tuple[State, str]:
        (delivery,) = (await outbox.message("m-1")).deliveries
        return delivery.state, delivery.reason

    state, told = in_outbox(tmp_path, reason)
    assert state is State.DISMISSED
    assert re.fullmatch(r"currency is unknown; dismissed by .* \(command line\): .*asked for it", told)
    (line,) = [json.loads(line) for line in run("audit", "--json").stdout.splitlines()]
    assert (line["what"], line["target"], line["after"][:13]) == ("dismissed", "reason currency", "2 dismissed: ")
    assert "ann@" not in told + line["after"]


@pytest.mark.parametrize(
    "words",
    [
        (
            "deliveries",
            "redrive",
        ),
        ("deliveries", "redrive", "--preset=Lead", "more"),
        ("deliveries", "redrive", "--preset="),
        ("deliveries", "redrive", ""),
        ("deliveries", "dismiss", "--source= ", "--because", "x"),
        ("deliveries", "dismiss", "--because", "x"),
        ("deliveries", "dismiss", "--all"),
        ("deliveries", "dismiss", "--all", "--because", " "),
        ("deliveries", "dismiss", "--all", "--because", "x" * (MAX_WHY + 1)),
    ],
    ids=str,
)
def test_what_is_not_said_clearly_is_not_done(run: Run, words: tuple[str, ...]) -> None:
    refused = run(*words)
    assert refused.exit_code == 2
    assert len(run("deliveries", "list", "--state", "dead", "--json").stdout.splitlines()) == 3
