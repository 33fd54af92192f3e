"""The ad accounts of the settings: the one of two variables, or those of DESTINATIONS_DIR."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from app import assemble
from app.assemble import ad_accounts
from app.assemble.ad_accounts import account_names, check_presets, check_sources, destinations
from app.core.events import Outcome
from app.errors import CatalogError
from app.main import create_app
from app.pipeline.delivery_factory import drafted_delivery
from tests.assembled import settings, shipped_catalog
from tests.catalog.test_destinations import SANDBOX, US, folder_of

NOW = 1_774_000_000.0
PAGE: dict[str, Any] = {
    "type": "page",
    "messageId": "page-1",
    "timestamp": NOW,
    "userId": "u-1",
    "context": {"userAgent": "Mozilla/5.0", "ip": "203.0.113.9", "page": {"url": "https://shop.example/"}},
    "properties": {"value": "12.50"},
}
EUR = 'name: FR\nad_account_id: "3"\nmode: sandbox\nsettings: {default_currency: eur, partner_name: ss-fr}\n'


def token_of(found: ad_accounts.Destination) -> str:
    token = found.token() if callable(found.token) else found.token
    assert isinstance(token, SecretStr)
    return token.get_secret_value()


def test_without_a_folder_the_settings_name_the_only_one() -> None:
    (found,) = destinations(settings(pinterest_ad_account_id="42", pinterest_conversion_token="t"))
    assert (found.name, found.ad_account_id, found.view.live) == ("", "42", True)
    (sandbox,) = destinations(settings())
    assert (sandbox.ad_account_id, sandbox.view.live) == (ad_accounts.SANDBOX_AD_ACCOUNT_ID, False)


def test_each_file_has_its_own_token_and_settings_over_those_of_the_process(tmp_path: Path) -> None:
    folder_of(tmp_path, us=US, zz=SANDBOX)
    us, trial = destinations(
        settings(destinations_dir=(tmp_path,), default_country="FR"), {"PINTEREST_TOKEN_US": "pina_us"}
    )
    assert (us.name, us.view.live, token_of(us), us.settings.default_country) == ("US", True, "pina_us", "US")
    assert (us.settings.max_calls_per_minute, trial.settings.max_calls_per_minute) == (100, 4_500)
    assert (us.view.retry_max_age_s, trial.view.retry_max_age_s) == (24 * 3_600, 72 * 3_600)
    assert (trial.view.live, trial.settings.sandboxed, trial.settings.default_country) == (False, True, "FR")
    assert "pina_us" not in repr(us)


def test_a_sandbox_is_one_wherever_pinterest_is_said_to_be(tmp_path: Path) -> None:
    folder_of(tmp_path, zz=SANDBOX)
    (trial,) = destinations(settings(destinations_dir=(tmp_path,), pinterest_api_url="http://pinterest.example/v5"))
    assert trial.settings.sandboxed


def test_a_token_file_is_read_anew(tmp_path: Path) -> None:
    token, folder = tmp_path / "token", tmp_path / "destinations"
    folder.mkdir()
    token.write_text("first\n", encoding="utf-8")
    folder_of(folder, us=US.replace("{env: PINTEREST_TOKEN_US}", f"{{file: {token}}}"))
    (us,) = destinations(settings(destinations_dir=(folder,)), {})
    token.write_text("second\n", encoding="utf-8")
    assert token_of(us) == "second"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("{env: NOT_SET}", "/token/env: the environment variable NOT_SET is not set"),
        ("{file: missing/token}", "/token/file: missing/token cannot be read: No such file or directory"),
        ("{file: EMPTY}", "/token/file: the file is empty"),
        ("{file: BINARY}", "BINARY cannot be read: not UTF-8"),
    ],
)
def test_a_token_that_is_not_there_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("EMPTY").write_text("\n", encoding="utf-8")
    Path("BINARY").write_bytes(b"\xff\xfe")
    Path("d").mkdir()
    folder_of(Path("d"), us=US.replace("{env: PINTEREST_TOKEN_US}", place))
    with pytest.raises(CatalogError, match="d/us") as caught:
        destinations(settings(destinations_dir=(Path("d"),)), {})
    assert told in str(caught.value)


def test_what_is_not_enabled_is_out_and_needs_no_token(tmp_path: Path) -> None:
    folder_of(tmp_path, us=US + "enabled: false\n", zz=SANDBOX)
    (only,) = destinations(settings(destinations_dir=(tmp_path,)), {})
    assert only.name == "Trial"


def test_the_names_of_all_ad_accounts_are_known_without_a_token(tmp_path: Path) -> None:
    folder_of(tmp_path, us=US + "enabled: false\n", zz=SANDBOX)
    names = account_names(settings(destinations_dir=(tmp_path,)))
    assert sorted(names.values()) == ["Trial", "US"]
    assert account_names(settings()) == {}


@pytest.mark.slow
def test_presets_that_a_file_names_are_there_at_the_start_and_after_a_reload(tmp_path: Path) -> None:
    folder_of(tmp_path, zz=SANDBOX + "presets: [Page Visit]\n")
    mine = settings(destinations_dir=(tmp_path,))
    running = assemble.running_catalog(mine)
    folder_of(tmp_path, zz=SANDBOX + "presets: [Page View]\n")
    with pytest.raises(CatalogError, match="there is no preset 'Page View'"):
        running.reload()
    check_presets(settings(), frozenset())


def test_sources_that_a_file_names_are_there_at_the_start(tmp_path: Path) -> None:
    folder_of(tmp_path, zz=SANDBOX + "sources: [default, app, shop]\n")
    mine = settings(destinations_dir=(tmp_path,), write_keys=(SecretStr("app:0123456789abcdef"),))
    check_sources(mine, ["shop"])
    with pytest.raises(CatalogError, match="there is no source 'shop': did you mean 'shop1'"):
        check_sources(mine, ["shop1"])
    with pytest.raises(CatalogError, match="there is no source 'shop': there are app, default"):
        create_app(mine.model_copy(update={"outbox_url": f"sqlite:///{tmp_path}/o.db"}))


def test_an_event_goes_to_every_ad_account_that_takes_its_source_and_preset(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        a=SANDBOX,
        b=EUR,
        c='name: Shop\nad_account_id: "4"\nmode: sandbox\nsources: [shop]\n',
        d='name: Orders\nad_account_id: "5"\nmode: sandbox\npresets: [Order Completed]\n',
    )
    walk = assemble.event_router(settings(destinations_dir=(tmp_path,)))
    lines = {source: walk.lines(PAGE, shipped_catalog(), now=NOW, source=source) for source in ("default", "shop")}
    taken = {source: [(line.preset, line.destination) for line in found] for source, found in lines.items()}
    assert taken["default"] == [("Page Visit", "Trial"), ("Page Visit", "FR")]
    assert taken["shop"] == [*taken["default"], ("Page Visit", "Shop")]


def test_each_gets_what_its_own_settings_make_of_the_event(tmp_path: Path) -> None:
    folder_of(tmp_path, a=SANDBOX, b=EUR)
    walk = assemble.event_router(settings(destinations_dir=(tmp_path,)))
    lines = walk.lines(PAGE, shipped_catalog(), now=NOW)
    deliveries = [drafted_delivery("page-1", PAGE, line) for line in lines]
    assert [each.ad_account_id for each in deliveries] == ["0012", "3"]
    assert [orjson.loads(each.payload).get("partner_name") for each in deliveries] == [None, "ss-fr"]


def test_ad_accounts_with_the_same_settings_get_the_same_event_made_once(tmp_path: Path) -> None:
    folder_of(tmp_path, a=SANDBOX, b='name: Twin\nad_account_id: "9"\nmode: sandbox\n', c=EUR)
    walk = assemble.event_router(settings(destinations_dir=(tmp_path,)))
    assert walk.account("Trial").making is walk.account("Twin").making
    assert walk.account("FR").making is not walk.account("Twin").making
    first, second, _ = walk.lines(PAGE, shipped_catalog(), now=NOW)
    assert first.event == second.event
    assert first.event is not None
    assert second.event is not None
    first.event["user_data"]["em"] = ["memory's"]
    assert second.event["user_data"].get("em") != ["memory's"]


def test_an_event_that_no_ad_account_takes_is_told(tmp_path: Path) -> None:
    folder_of(tmp_path, a=SANDBOX + "sources: [shop]\n")
    (line,) = assemble.event_router(settings(destinations_dir=(tmp_path,))).lines(PAGE, shipped_catalog(), now=NOW)
    assert (line.preset, line.outcome, line.reason) == (
        None,
        Outcome.UNMATCHED,
        "no ad account takes this source and preset",
    )


def test_an_ad_account_that_is_switched_off_withholds_where_the_settings_refuse(tmp_path: Path) -> None:
    folder_of(tmp_path, a=SANDBOX, b=EUR)
    mine = settings(destinations_dir=(tmp_path,), events_while_off="withhold")
    walk = assemble.event_router(mine, lambda _, account: "off" if account == "3" else None)
    assert [(line.destination, line.outcome) for line in walk.lines(PAGE, shipped_catalog(), now=NOW)] == [
        ("Trial", Outcome.ENQUEUED),
        ("FR", Outcome.WITHHELD),
    ]
