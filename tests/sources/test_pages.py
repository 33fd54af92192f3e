"""Every source has a page, and the request that it shows is delivered by the real command."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.process import PLAIN, ROOT, Server, running
from tests.sources.test_cases import SOURCES
from tests.waiting import until

SECRET = "pinrelay-example-secret-0123456789"
SECRETS: dict[str, object] = {
    variable: SECRET
    for source in SOURCES
    for variable in re.findall(r"\benv: (\w+)", (ROOT / f"sources/{source}.yaml").read_text(encoding="utf-8"))
}


def page_of(source: str) -> Path:
    return ROOT / f"docs/source-{source.replace('_', '-')}.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pages")
    with running(folder, measured=False, sources=",".join(SOURCES), batch_max_wait_s=0.1, **SECRETS) as served:
        yield served


@pytest.mark.whole
@pytest.mark.parametrize("source", SOURCES)
def test_the_request_of_a_page_is_delivered(source: str, server: Server) -> None:
    (script,) = re.findall(r"^```sh request\n(.*?)^```$", page_of(source).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    environment = server.environment | dict.fromkeys(SECRETS, SECRET)
    before = httpx.get(f"{server.url}/sandbox/", **PLAIN).json()["received"]

    printed = subprocess.run(
        ["sh", "-euc", script.replace("http://127.0.0.1:8080", server.url).replace("curl ", "curl --silent ")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout

    receipt = json.loads(printed)
    assert receipt["source"] == source
    assert receipt["counts"] == {"accepted": 1, "enqueued": 1}
    until(lambda: httpx.get(f"{server.url}/sandbox/", **PLAIN).json()["received"] == before + 1)


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_says_which_settings_switch_its_source_on(source: str) -> None:
    text = page_of(source).read_text(encoding="utf-8")
    assert f"SOURCES={source}\n" in text
    assert f"/webhook/{source}`" in text


@pytest.mark.parametrize("source", SOURCES)
def test_the_list_of_sources_leads_to_every_page(source: str) -> None:
    listed = (ROOT / "docs/named-sources.md").read_text(encoding="utf-8")
    assert f"[`{source}`]({page_of(source).name})" in listed
