"""One shop's orders wherever they may lie: `reconcile` and `import` read them there, and say the same of them."""

import json
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from app.errors import SettingsError, WarehouseError
from tests.commands.conftest import Run

_MADE = (datetime.now(UTC) - timedelta(hours=3)).replace(microsecond=0)
#: Id, total, and when it was made.
ORDERS = [
    (1001, "25.00", f"{_MADE:%Y-%m-%d %H:%M:%S}"),
    (1002, "7.50", f"{_MADE + timedelta(hours=1):%Y-%m-%d %H:%M:%S}"),
]
CSV = "".join(f"{','.join(map(str, row))}\n" for row in [("id", "total", "made"), *ORDERS])
TABLE = "CREATE TABLE orders (id INTEGER, total DECIMAL(10, 2), made DATETIME)"
ROWS = ", ".join(f"({id_}, {total}, '{made}')" for id_, total, made in ORDERS)

#: Of rows with a total, and an email where they have one.
SOURCE = """
name: crm
kind: mapped
proofs: [{kind: anyone}]
mapping:
  type: track
  event: Order Completed
  messageId: {"@template": "crm-{{body.id}}"}
  timestamp: {"@path": $.body.made}
  context: {ip: 203.0.113.9, userAgent: x, traits: {email: {"@path": $.body.email}}}
  properties: {order_id: {"@path": $.body.id}, revenue: {"@path": $.body.total}, currency: EUR}
events: [{name: An order, subscribe: body.total != "0"}]
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the orders lie."""

    where: str
    query: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


def assert_read(run: Run, folder: Path, place: Place) -> None:
    """Import what is new, once; then each order waits, with its amount."""
    (folder / "sources").mkdir()
    (folder / "sources/crm.yaml").write_text(SOURCE)
    settings = {**place.environment, "SOURCES_DIR": str(folder / "sources")}
    query = () if place.query is None else ("--query", place.query)
    rows = ("import", "--from", place.where, *query, "--cursor", "made", "--source", "crm", "--json")
    for expected in ({"enqueued": 2}, {}):
        done = run(*rows, **settings)
        assert done.exit_code == 0, (done.output[-300:], done.exception)
        assert json.loads(done.stdout.splitlines()[-1])["outcomes"] == expected
    columns = ("--order-id", "id", "--total", "total", "--currency", "EUR", "--time", "made")
    done = run("reconcile", place.where, *query, *columns, "--json", **settings)
    assert done.exit_code == 0, (done.output[-300:], done.exception)
    told = json.loads(done.stdout.splitlines()[-1])
    assert [(each["fate"], each["named"]) for each in told["fates"]] == [("waiting", ["1001", "1002"])]
    # Each day has a sum, and three hours ago may have been yesterday.
    assert sum(Decimal(each["shop"]) for each in told["sums"]) == Decimal("32.50")


def assert_refused(run: Run, place: Place, told: str, *secrets: str) -> None:
    """Fail with these words, and with none of the secrets in them, nor in a traceback."""
    query = () if place.query is None else ("--query", place.query)
    done = run("reconcile", place.where, *query, "--order-id", "id", "--total", "total", **place.environment)
    assert isinstance(done.exception, SettingsError | WarehouseError)
    assert told in str(done.exception)
    said = done.output + "".join(traceback.format_exception(done.exception))
    assert [secret for secret in secrets if secret in said] == []
