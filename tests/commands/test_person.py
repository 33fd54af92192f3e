"""`pinrelay person`: what is kept of somebody, by each name."""

import hashlib
import json
import re
import time
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.commands.test_forget import MEMORY, ORDER
from tests.process import ROOT

NAMES = {
    "ann": (),
    "ann@shop.example": (),
    "+49 151 23456700": (),
    "x": ("--by", "anonymous-id"),
    "7": ("--by", "order-id"),
}


@pytest.mark.parametrize(
    "settings", [{}, {**MEMORY, "RETENTION_DAYS": "payload:1"}], ids=["without memory", "with memory"]
)
def test_a_person_reads_what_was_sent_to_whom_and_when(run: Run, tmp_path: Path, settings: dict[str, str]) -> None:
    file = tmp_path / "events.json"
    traits = {"email": "ann@shop.example", "phone": "+4915123456700"}
    order = ORDER | {"userId": "ann", "anonymousId": "x", "timestamp": int(time.time()), "context": {"traits": traits}}
    other = order | {"userId": "bob", "anonymousId": "y", "messageId": "b", "context": {"traits": {"email": "b@b.de"}}}
    other |= {"properties": {"order_id": "8", "revenue": 10, "currency": "EUR"}}
    file.write_text("\n".join(map(json.dumps, (order, other))), encoding="utf-8")
    assert run("import", file, **settings).exit_code == 0
    digest = hashlib.sha256(b"ann@shop.example").hexdigest()
    for name, options in NAMES.items():
        told = json.loads(run("person", name, *options, "--json", **settings).stdout)
        (delivery,) = told["deliveries"]
        assert (delivery["message_id"], delivery["order_id"], delivery["state"]) == ("o", "7", "pending")
        assert delivery["sent"]["user_data"]["em"] == [digest]
        assert bool(told["facts"]) == bool(settings), name
        assert "ann@shop.example" not in json.dumps(told)
    nobody = run("person", "nobody", **settings)
    assert json.loads(nobody.stdout)["deliveries"] == []
    assert nobody.stderr == "Nothing is stored for this person, by user_id.\n"
    assert "told what is kept of a person" in run("audit").stdout


#: The documented fields of each list of the file.
FIELDS = {
    row[0]: re.findall(r"`([a-z_]+)`", row[1])
    for row in re.findall(
        r"^\| `([a-z_]+)` \| (.*) \|$",
        (ROOT / "docs/privacy.md")
        .read_text("utf-8")
        .partition("### The file of an access request")[2]
        .partition("###")[0],
        re.MULTILINE,
    )
}
#: All settings by which data of a person is stored.
STORING = MEMORY | {
    "RETENTION_DAYS": "payload:1",
}


def test_the_file_has_the_documented_fields_and_iso_times_as_json_and_as_text(run: Run, tmp_path: Path) -> None:
    file, now = tmp_path / "events.json", int(time.time())
    who = {"userId": "ann", "anonymousId": "x", "timestamp": now, "context": {"traits": {"email": "ann@shop.example"}}}
    before = ORDER | who
    file.write_text(json.dumps(before), "utf-8")
    assert run("import", file, **STORING).exit_code == 0
    assert run("forget", "--user-id", "ann", **STORING).exit_code == 0
    identify = who | {"type": "identify", "messageId": "i", "traits": {"email": "ann@shop.example"}}
    order = before | {"messageId": "o-2", "properties": {"order_id": "8", "revenue": 10, "currency": "EUR"}}
    bad = before | {"messageId": "o-3", "timestamp": "soon", "properties": {"order_id": "9", "revenue": 1}}
    no = who | {"type": "page", "messageId": "n", "timestamp": now + 1, "properties": {"opt_out": True}}
    files = []
    for events in ((identify, order, bad), (no,)):
        file.write_text("\n".join(map(json.dumps, events)), "utf-8")
        assert run("import", file, **STORING).exit_code == 0
        files.append(json.loads(run("person", "ann", **STORING).stdout))

    for name, documented in FIELDS.items():
        rows = [row for found in files for row in found[name]]
        assert rows or name == "quarantined", name  # an import quarantines nothing
        for row in rows:
            assert {*row} | {each for attempt in row.get("attempts", ()) for each in attempt} <= {*documented}, name
    without_sent = [row | {"sent": None} for found in files for row in found["deliveries"]]
    text = json.dumps([found | {"deliveries": without_sent} for found in files])
    times = re.findall(r'"(?:at|[a-z]+_at|event_time)": ("[^"]*"|[0-9.]+)', text)
    assert times
    assert all(re.fullmatch(r'"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"', each) for each in times), times
    found = files[-1]
    delivery = next(each for each in found["deliveries"] if each["message_id"] == "o-2")
    assert type(delivery["sent"]["event_time"]) is int
    text = run("person", "ann", "--text", **STORING).stdout
    values = [value for name in FIELDS for row in found[name] for value in row.values() if isinstance(value, str)]
    assert [value for value in values if value not in text] == []
    assert f"em: {delivery['sent']['user_data']['em'][0]}" in text
