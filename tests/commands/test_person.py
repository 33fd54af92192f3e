"""`pinrelay person`: what is kept of somebody, by each name."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.commands.test_forget import MEMORY, ORDER

NAMES = {
    "ann": (),
    "ann@shop.example": (),
    "+49 151 23456700": (),
    "x": ("--by", "anonymous-id"),
    "7": ("--by", "order-id"),
}


@pytest.mark.parametrize("settings", [{}, {**MEMORY, "PAYLOAD_DAYS": "1"}], ids=["without memory", "with memory"])
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
    assert json.loads(run("person", "nobody", **settings).stdout)["deliveries"] == []
    assert "told what is kept of a person" in run("audit").stdout
