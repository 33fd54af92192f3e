"""The cookbook's five markets: its files as they stand, loaded by the application, and every source's events."""

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.main import create_app
from tests import assembled
from tests.process import ROOT
from tests.sources.sending import NOW
from tests.sources.test_cases import CASES

PAGE = (ROOT / "docs/cookbook.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|yaml) markets ?(\S*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHOPIFY, WOOCOMMERCE = CASES["shopify-order-paid"], CASES["woocommerce-order-paid"]
SECRETS = {
    "TILLS_UK_SECRET": "secret-of-the-tills",
    "APP_SECRET": "secret-of-the-app-0",
    **dict.fromkeys(("SHOP_US_SECRET", "SHOP_CA_SECRET"), SHOPIFY["secrets"]["SHOPIFY_WEBHOOK_SECRET"]),
    **dict.fromkeys(("SHOP_DE_SECRET", "SHOP_FR_SECRET"), WOOCOMMERCE["secrets"]["WOOCOMMERCE_WEBHOOK_SECRET"]),
}
TOKENS = {f"PINTEREST_TOKEN_{market}": "token" for market in ("US", "CA", "DE", "FR", "UK")}
MARKETS = {
    "US": "549755885171",
    "Canada": "549755885172",
    "Germany": "549755885173",
    "France": "549755885174",
    "United Kingdom": "549755885175",
}
SALE = {"receipt": "R-1", "sold_at": "2026-11-25T10:00:00Z", "total": 12.5, "loyalty_email": "eva@example.com"}


def of_app(market: str, **context: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "App Order",
        "messageId": f"app-{market}",
        "timestamp": "2026-11-25T10:00:00Z",
        "userId": "u-1",
        "context": {"traits": {"email": "eva@example.com"}, **context},
        "properties": {"market": market, "order_id": f"A-{market}", "revenue": 20},
    }


def write_files(folder: Path) -> None:
    """Write the files of the page and run its commands, in their order."""
    for shared in ("sources", "presets"):
        (folder / shared).symlink_to(ROOT / shared)
    for language, name, text in BLOCKS:
        if language == "sh":
            subprocess.run(["sh", "-euc", text], cwd=folder, check=True, timeout=20)
        else:
            (folder / name).write_text(text, encoding="utf-8")


@asynccontextmanager
async def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Serve what the page shows."""
    write_files(folder)
    for name, secret in {**SECRETS, **TOKENS}.items():
        monkeypatch.setenv(name, secret)
    settings = assembled.settings(
        outbox_url=f"sqlite:///{folder}/outbox.db",
        sources_dir=(folder / "my-sources",),
        destinations_dir=(folder / "my-destinations",),
        presets_dir=(folder / "presets", folder / "my-presets"),
        pinterest_api_url="http://127.0.0.1:9/v5",
    )
    app = create_app(settings, clock=lambda: NOW, environ=TOKENS)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await transport.aclose()


async def accounts_of(client: httpx.AsyncClient, path: str, content: bytes, **headers: str) -> dict[str, list[str]]:
    """Send one request; return the destinations of each event that were enqueued, by message id."""
    answer = await client.post(path, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        event["message_id"]: [line["destination"] for line in event["deliveries"] if line["outcome"] == "enqueued"]
        for event in answer.json()["events"]
    }


async def test_each_source_reaches_the_ad_account_of_its_market_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, monkeypatch) as client:
        for source, case, market in (
            ("shop_us", SHOPIFY, "US"),
            ("shop_ca", SHOPIFY, "Canada"),
            ("shop_de", WOOCOMMERCE, "Germany"),
            ("shop_fr", WOOCOMMERCE, "France"),
        ):
            body = orjson.dumps(case["request"]["body"])
            found = await accounts_of(client, f"/webhook/{source}", body, **case["request"]["headers"])
            assert list(found.values()) == [[market]], source
        by_tills = {"Authorization": f"Bearer {SECRETS['TILLS_UK_SECRET']}", "Content-Type": "application/x-ndjson"}
        lines = b"\n".join(map(orjson.dumps, (SALE, {**SALE, "receipt": "R-2", "loyalty_email": None})))
        found = await accounts_of(client, "/webhook/tills_uk", lines, **by_tills)
        assert found == {"till-R-1": ["United Kingdom"], None: []}
        by_app = {"Authorization": f"Bearer {SECRETS['APP_SECRET']}"}
        markets = dict(zip(("US", "CA", "DE", "FR", "UK"), MARKETS, strict=True))
        found = await accounts_of(client, "/webhook/app", orjson.dumps(list(map(of_app, markets))), **by_app)
        assert found == {f"app-{market}": [name] for market, name in markets.items()}
        no = of_app("DE", consent={"categoryPreferences": {"advertising": False}}) | {"messageId": "no"}
        assert await accounts_of(client, "/webhook/app", orjson.dumps([no]), **by_app) == {"no": []}
        for name, number in MARKETS.items():
            waiting = (await client.get("/api/v1/deliveries", params={"ad_account_id": number})).json()["deliveries"]
            assert len(waiting) == 2, f"of {name}: one of its shop, one of the app"


def test_the_example_is_five_markets_five_ad_accounts_and_six_sources() -> None:
    files = [name for _, name, _ in BLOCKS]
    assert len([name for name in files if name.startswith("my-destinations/")]) == len(MARKETS) == 5
    copied = "".join(text for language, _, text in BLOCKS if language == "sh").count("\ncopy ")
    assert len([name for name in files if name.startswith("my-sources/")]) + copied == 6
