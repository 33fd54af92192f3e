"""`pinrelay forget`."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from app.errors import NameUnreadable
from tests.commands.conftest import Run

MEMORY = {"REMEMBER_DAYS": "90", "REMEMBER_SECRET": "a secret of the installation, long"}
IDENTIFY = {
    "type": "identify",
    "messageId": "i",
    "timestamp": "2026-11-25T10:15:00Z",
    "userId": "ann",
    "anonymousId": "x",
    "traits": {"email": "ann@shop.example"},
}


def test_a_person_is_forgotten_and_a_second_time_there_is_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps(IDENTIFY), encoding="utf-8")
    assert run("import", file, **MEMORY).exit_code == 0
    done = [run("forget", "--user-id", "ann", "--json", **MEMORY) for _ in range(2)]
    assert [each.exit_code for each in done] == [0, 1]
    told = [json.loads(each.stdout) for each in done]
    assert [(each["ids"], each["messages"], each["stays"]) for each in told] == [(2, 0, ""), (0, 0, "")]
    assert [each["erased"] for each in told] == [{"ids of memory": 2}, {}]
    assert "Backups" in told[0]["kept"][-1]
    assert [bool(each["certificate"]) for each in told] == [True, False]
    assert "forgot a person" in run("audit").stdout


@pytest.mark.parametrize("suppress", [True, False])
def test_an_erasure_that_finds_nobody_fails_without_certificate_and_keeps_the_opt_out(
    run: Run, tmp_path: Path, *, suppress: bool
) -> None:
    done = run("forget", "--email", "eva@shop.example", *["--suppress"] * suppress)
    opt_out = " except an opt-out, which is kept" if suppress else ""
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Nothing is stored for this person{opt_out}. Check the name")
    assert run("forget", "--list", "--json").stdout == ""
    file = tmp_path / "events.json"
    file.write_text(
        json.dumps(ORDER | {"timestamp": int(time.time()), "context": {"traits": {"email": "eva@shop.example"}}})
    )
    assert run("import", file).exit_code == 0
    (delivery,) = [json.loads(line) for line in run("find", "7", "--json").stdout.splitlines()]
    assert delivery["kind"] == ("dropped_event" if suppress else "delivery")
    assert delivery.get("outcome") == ("withheld" if suppress else None)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--email", "eva(at)example", "This cannot be an e-mail address: write name@domain.tld."),
        ("--email", "eva@example", "This cannot be an e-mail address"),
        ("--email", "+4915123456700", "This cannot be an e-mail address"),
        ("--phone", "call me", "This cannot be a phone number: write it with its country, such as +49"),
        ("--phone", "eva@shop.example", "This cannot be a phone number"),
        ("--user-id", "null", "The userId is empty or a placeholder: give the id as the events have it."),
        ("--anonymous-id", " ", "The anonymousId is empty or a placeholder"),
        ("--order-id", "{{ order.id }}", "The order id is empty or a placeholder"),
    ],
)
def test_a_value_that_cannot_name_a_person_is_refused_and_not_shown(
    run: Run, option: str, value: str, told: str
) -> None:
    for command in (("forget", option, value, "--suppress"), ("person", value, "--by", option.removeprefix("--"))):
        refused = run(*command)
        assert type(refused.exception) is NameUnreadable
        assert str(refused.exception).startswith(told)
        assert value == " " or value not in str(refused.exception)
    assert run("audit", "--json").stdout == ""


ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "o",
    "context": {"traits": {"email": "ann@shop.example"}},
    "properties": {"order_id": "7", "revenue": 10, "currency": "EUR"},
}


@pytest.mark.parametrize("who", [{"userId": "ann"}, {}], ids=["an id", "no id"])
def test_without_memory_it_is_known_whose_an_order_is(run: Run, tmp_path: Path, who: dict[str, str]) -> None:
    file, digest = tmp_path / "events.json", hashlib.sha256(b"ann@shop.example").hexdigest().encode()
    file.write_text(json.dumps(ORDER | who | {"timestamp": int(time.time())}), encoding="utf-8")
    assert run("import", file).exit_code == 0

    def everything() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("o.db*"))

    assert digest in everything()
    assert run("forget", "--user-id", "ann", RETENTION_DAYS="payload:30").exit_code == (0 if who else 1)
    assert (digest[:16] in everything()) == (not who), "without an id it is not hers by that name"
    assert run("forget", "--email", "Ann@shop.example").exit_code == (1 if who else 0)
    assert digest[:16] not in everything()


def test_a_certificate_has_the_reference_and_nothing_of_the_person(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps(ORDER | {"userId": "ann", "timestamp": int(time.time())}), encoding="utf-8")
    assert run("import", file).exit_code == 0
    told = json.loads(run("forget", "--order-id", "7", "--reference", "T-9 of ann@shop.example", "--json").stdout)
    (kept,) = map(json.loads, run("forget", "--list", "--json").stdout.splitlines())
    assert (kept["certificate"], kept["named_by"]) == (told["certificate"], ["order_ids"])
    assert kept["reference"] == "T-9 of [redacted]"
    assert (kept["messages"], kept["erased"]["payloads"]) == (1, 1)
    assert "ann" not in json.dumps(kept).replace("cannot", "")
    table = run("forget", "--list").stdout
    assert told["certificate"] in table
    assert f"certificate {told['certificate']}, reference T-9 of [redacted]" in run("audit").stdout


def test_a_person_has_to_be_named(run: Run) -> None:
    assert run("forget", **MEMORY).exit_code == 2
