"""`pinrelay status` and `check`, over a real outbox."""

import json
import re
from pathlib import Path

import pytest

from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.core.deliveries import NewDelivery, Rejected, Settlement, State
from app.core.events import CounterRow
from app.core.shared_values import PRESET_SWITCH, Switch
from app.outbox import Outbox
from tests.catalog.test_destinations import US, folder_of
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import new

SANDBOX_OF_7 = 'name: Other\nad_account_id: "7"\nmode: sandbox\n'
NOW = 1_772_640_800.0


@pytest.fixture(autouse=True)
def one_dead_letter(tmp_path: Path) -> None:
    """An outbox with the message `m-1`: refused by Pinterest."""
    new = NewDelivery(
        ad_account_id=SANDBOX_AD_ACCOUNT_ID,
        preset="Checkout",
        message_id="m-1",
        event_name="checkout",
        event_id="e-1",
        action_source="web",
        order_id=None,
        event_time=int(NOW),
        payload=b"{}",
        warnings=(),
        quality=(),
    )

    async def fill(outbox: Outbox) -> None:
        await outbox.enqueue([new], [], [CounterRow(name="accepted")], now=NOW)
        claimed = await outbox.claim(SANDBOX_AD_ACCOUNT_ID, limit=1, max_bytes=1_000, max_wait_s=0, lease_s=60, now=NOW)
        dead = Settlement(
            claimed=claimed[0], result=Rejected(reason="currency is unknown", status=422), state=State.DEAD
        )
        await outbox.settle([dead], [CounterRow(name="calls", label="422")], now=NOW)

    in_outbox(tmp_path, fill)


def test_the_status_counts_what_waits_and_what_is_dead(run: Run) -> None:
    facts = json.loads(run("status", "--json").stdout)
    assert (facts["pending"], facts["dead"], facts["blocked"]) == (0, 1, "")
    assert "dead" in run("status").stdout


def test_the_status_says_whose_it_is(run: Run) -> None:
    """In a shell without the server's credentials it is that of the sandbox, where nothing waits."""
    assert "outbox of the sandbox" in run("status").stdout
    live = {"PINTEREST_AD_ACCOUNT_ID": "549755885175", "PINTEREST_CONVERSION_TOKEN": "t"}
    assert "outbox of 549755885175" in run("status", **live).stdout


def test_status_names_a_preset_that_is_switched_off_where_something_waits(run: Run, tmp_path: Path) -> None:
    async def wait(outbox: Outbox) -> None:
        await outbox.enqueue([new(ad_account_id=SANDBOX_AD_ACCOUNT_ID, preset="Lead")], [], [], now=NOW)
        await PRESET_SWITCH.of("Lead").write(outbox, Switch(on=False))

    in_outbox(tmp_path, wait)
    facts = json.loads(run("status", "--json").stdout)
    assert facts["state"] == "preset switched off"
    assert facts["told"].startswith("The preset Lead is switched off.")


def test_status_tells_each_ad_account_that_has_a_name(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "destinations"
    folder.mkdir()
    folder_of(folder, a=f'name: Trial\nad_account_id: "{SANDBOX_AD_ACCOUNT_ID}"\nmode: sandbox\n', b=SANDBOX_OF_7)
    facts = json.loads(run("status", "--json", DESTINATIONS_DIR=str(folder)).stdout)
    assert facts["dead"] == 1
    assert facts["destination Trial"] == {"state": "sending", "pending": 0, "claimed": 0, "dead": 1}
    assert facts["destination Other"]["dead"] == 0


def test_check_lists_destinations_and_needs_their_tokens(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "destinations"
    folder.mkdir()
    folder_of(folder, us=US.replace("[shop]", "[default]"), b=SANDBOX_OF_7)
    for token, fault in ((None, "the environment variable PINTEREST_TOKEN_US is not set"), ("Bearer t", "must be the")):
        refused = run("check", DESTINATIONS_DIR=str(folder), PINTEREST_TOKEN_US=token)
        assert f"us.yaml: /token/env: {fault}" in str(refused.exception)
    result = run("check", DESTINATIONS_DIR=str(folder), PINTEREST_TOKEN_US="t")
    assert result.exit_code == 0, result.output
    assert re.search(r"US .* 549755885175 .* live .* default .* Order Completed, Checkout", result.stdout)
    folder_of(folder, us=US)
    faulty = run("check", DESTINATIONS_DIR=str(folder), PINTEREST_TOKEN_US="t")
    assert faulty.exit_code == 1
    assert "there is no source 'shop'" in str(faulty.exception) + faulty.output


def test_check_opens_the_database_of_addresses(run: Run, tmp_path: Path) -> None:
    result = run("check", GEOIP_DB=str(tmp_path / "cities.mmdb"))
    assert result.exit_code == 1
    assert "cities.mmdb cannot be read: No such file or directory. Name a file such as" in str(result.exception)
