"""Every source has a page, and the request that it shows is delivered by the real command."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import PLAIN, ROOT, Server, running
from tests.rows import every_row
from tests.sources.test_cases import SOURCES
from tests.waiting import until

SECRET = "pinrelay-example-secret-0123456789"
SECRETS: dict[str, object] = {
    variable: SECRET
    for source in SOURCES
    for variable in re.findall(r"\benv: (\w+)", (ROOT / f"sources/{source}.yaml").read_text(encoding="utf-8"))
}

#: What the request of Segment's page proves.
OF_SEGMENT = {"WEBHOOK_SHARED_SECRETS": SECRET, "WEBHOOK_HEADER": f"X-Pinrelay-Key: {SECRET}"}


LISTED = (ROOT / "docs/named-sources.md").read_text(encoding="utf-8")


def page_of(source: str) -> str:
    """The text about a source: the page that the list of sources names, or the section of it."""
    found = re.search(rf"\[`{source}`\]\((source-[\w-]+\.md)(?:#([\w-]+))?\)", LISTED)
    file, section = found.groups() if found else ("source-segment.md", None)
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    parts = {part.partition("\n")[0].lower(): part for part in re.split(r"^## ", text, flags=re.MULTILINE)}
    return parts[section] if section else text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pages")
    with running(
        folder, measured=False, sources=",".join(SOURCES), order_wait_minutes=0, batch_max_wait_s=0.1, **SECRETS
    ) as served:
        yield served


@pytest.fixture(scope="module")
def two_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two ad accounts in the sandbox, which both take what the sources bring."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "destinations").mkdir()
    for name, number in (("us", "549755885175"), ("eu", "549755885176")):
        text = f'name: {name}\nmode: sandbox\nad_account_id: "{number}"\nsources: [shopify, woocommerce, ga4]\n'
        (folder / "destinations" / f"{name}.yaml").write_text(text, encoding="utf-8")
    given = {"order_wait_minutes": 0, "sources": "shopify,woocommerce,ga4", "destinations_dir": folder / "destinations"}
    with running(folder, measured=False, batch_max_wait_s=0.1, **given, **SECRETS) as served:
        yield served


def ask(source: str, server: Server) -> dict[str, Any]:
    """Run the request that a source's page shows, and return the receipt."""
    script, *_ = re.findall(r"^```sh request\n(.*?)^```$", page_of(source), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["sh", "-euc", script.replace("http://127.0.0.1:8080", server.url).replace("curl ", "curl --silent ")],
        env=server.environment | dict.fromkeys(SECRETS, SECRET) | OF_SEGMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    receipt: dict[str, Any] = json.loads(done.stdout)
    assert receipt.get("source", "segment") == source
    return receipt


def received(server: Server) -> int:
    count: int = httpx.get(f"{server.url}/sandbox/", **PLAIN).json()["received"]
    return count


@pytest.mark.whole
@pytest.mark.parametrize("source", SOURCES)
def test_the_request_of_a_page_is_delivered(source: str, server: Server) -> None:
    before = received(server)
    assert ask(source, server)["counts"] == {"accepted": 1, "enqueued": 1}
    until(lambda: received(server) == before + 1)


@pytest.mark.whole
def test_the_signed_request_of_segments_page_is_delivered(tmp_path: Path) -> None:
    proofs = {name.lower(): text for name, text in OF_SEGMENT.items()}
    with running(tmp_path, measured=False, batch_max_wait_s=0.1, **proofs) as served:
        assert ask("segment", served)["counts"] == {"accepted": 1, "enqueued": 1}
        until(lambda: received(served) == 1)
        assert httpx.post(f"{served.url}/webhook", json={}, **PLAIN).status_code == 401


@pytest.mark.whole
@pytest.mark.parametrize("source", ["shopify", "woocommerce", "ga4"])
def test_the_request_of_a_page_is_delivered_to_each_of_two_ad_accounts(source: str, two_accounts: Server) -> None:
    before = received(two_accounts)
    receipt = ask(source, two_accounts)
    assert receipt["counts"] == {"accepted": 1, "enqueued": 2}
    assert [line["destination"] for line in receipt["events"][0]["deliveries"]] == ["eu", "us"]
    until(lambda: received(two_accounts) == before + 2)


@every_row("source", SOURCES)
def test_a_page_says_which_settings_switch_its_source_on(source: str) -> None:
    text = page_of(source)
    assert f"SOURCES={source}\n" in text
    assert f"/webhook/{source}`" in text


@every_row("source", SOURCES)
def test_the_list_of_sources_leads_to_every_page(source: str) -> None:
    assert f"[`{source}`](source-" in LISTED
