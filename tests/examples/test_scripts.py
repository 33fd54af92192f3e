"""The scripts of the documentation run as they are printed, but for hosts and folders: beside one server."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
import pytest

from tests.commands.places import SOURCE
from tests.examples.blocks import BLOCKS, Block
from tests.examples.workshop import Workshop, workshop
from tests.outbox.postgres_server import PostgresServer
from tests.whole.test_markets import SALE, SECRETS, TOKENS, write_files

pytestmark = [pytest.mark.prove, pytest.mark.whole, pytest.mark.xdist_group("examples")]

ORDERS = """
CREATE TABLE orders (id text, total text, email text, made timestamptz, updated_at timestamptz);
INSERT INTO orders VALUES ('SO-7', '20.00', 'eva@example.com', now(), now());
"""
SCRIPTS = [block for block in BLOCKS if block.is_script]
ON_POSTGRES = [block for block in SCRIPTS if "postgresql://" in block.text or "PostgreSQL" in block.title]
OF_MARKETS = [block for block in SCRIPTS if "TILLS_UK_SECRET" in block.text]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with workshop(tmp_path_factory.mktemp("examples")) as made:
        yield made


@pytest.mark.parametrize("block", [each for each in SCRIPTS if each not in ON_POSTGRES + OF_MARKETS], ids=str)
def test_a_script_runs_as_it_is_printed(block: Block, place: Workshop) -> None:
    place.fill()
    printed = place.run(block)
    if block.page == "sources":
        (shown,) = (each.text for each in BLOCKS if (each.page, each.language) == ("sources", "json"))
        assert json.loads(printed) == json.loads(shown)


@pytest.mark.parametrize("block", ON_POSTGRES, ids=str)
def test_a_script_that_names_postgresql_runs_with_one(
    block: Block, place: Workshop, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.url()) as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute(ORDERS)
    (place.folder / "own").mkdir(exist_ok=True)
    (place.folder / "own/crm.yaml").write_text(SOURCE, encoding="utf-8")
    url = postgres_server.url()
    of_store = {"outbox_url": url} if "$OUTBOX_URL" in block.text else {}
    place.run(block, database=url, sources_dir=place.folder / "own", **of_store)


@pytest.mark.parametrize("block", OF_MARKETS, ids=str)
def test_the_markets_of_the_cookbook_are_served(block: Block, place: Workshop, tmp_path: Path) -> None:
    write_files(tmp_path)
    for name in ("my-sources", "my-destinations", "my-presets"):
        shutil.copytree(tmp_path / name, place.folder / name, dirs_exist_ok=True)
    place.sales.write_bytes(orjson.dumps(SALE | {"sold_at": datetime.now(UTC)}))
    receipt = json.loads(place.run(block, **SECRETS, **TOKENS).splitlines()[-1])
    assert receipt["counts"] == {"accepted": 1, "enqueued": 1}
