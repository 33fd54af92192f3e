"""Files are published into a folder of one's own, each time as a version."""

from pathlib import Path
from typing import Any

import pytest

from app.catalog import load_catalog
from app.catalog.catalog import RunningCatalog
from app.catalog.publishing import BY_HAND, Publisher
from app.errors import CatalogError, PublishingRefused
from tests.console.world import CHECKOUT, LEAD, MAPPING

NOW = 1_800_000_000.0
OTHER = CHECKOUT.replace("A customer completes an order.", "Another text.")


class Shop:
    """A catalog of a shipped folder and one of one's own, and who publishes into it."""

    def __init__(self, folder: Path) -> None:
        self.shipped, self.own, mappings = folder / "presets", folder / "mine", folder / "mappings"
        for each in (self.shipped, self.own, mappings):
            each.mkdir()
        (self.own / ".versions").mkdir()
        (self.shipped / "checkout.yaml").write_text(CHECKOUT, encoding="utf-8")
        (mappings / "report_conversion_event.yaml").write_text(MAPPING, encoding="utf-8")
        self.folders: dict[str, Any] = {"presets_dir": (self.shipped, self.own), "mappings_dir": (mappings,)}
        self.running = RunningCatalog(**self.folders)
        self.publisher = Publisher(self.running)

    def publish(self, text: str | None, *, file: str = "checkout.yaml", base: str | None = None) -> int:
        generation = self.running.catalog.generation if base is None else base
        version = self.publisher.publish(file, text, author="ada", at=NOW, base=generation)
        self.running.reload()
        return version.number

    def description(self) -> str:
        return next(preset.description for preset in self.running.catalog.presets if preset.name == "Checkout")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_what_is_published_lies_over_the_shipped_file_and_runs(shop: Shop) -> None:
    assert shop.publish(OTHER) == 1
    assert shop.description() == "Another text."
    assert (shop.shipped / "checkout.yaml").read_text("utf-8") == CHECKOUT
    assert (shop.own / "checkout.yaml").read_text("utf-8") == OTHER


def test_a_new_file_is_a_new_preset(shop: Shop) -> None:
    shop.publish(LEAD, file="lead.yaml")
    assert [preset.name for preset in shop.running.catalog.presets] == ["Checkout", "Lead"]


def test_every_publication_is_a_version_and_each_can_be_returned_to(shop: Shop) -> None:
    shop.publish(OTHER)
    shop.publish(OTHER.replace("Another", "A third"))
    first = shop.publisher.versions("presets/checkout.yaml")[-1]
    assert shop.publish(first.text) == 3
    assert shop.description() == "Another text."
    found = [(each.number, each.author, each.at) for each in shop.publisher.versions("checkout.yaml")]
    assert found == [(3, "ada", NOW), (2, "ada", NOW), (1, "ada", NOW)]


def test_to_take_ones_own_file_away_brings_the_shipped_one_back_and_an_empty_folder_starts(shop: Shop) -> None:
    shop.publish(OTHER)
    shop.publish(None)
    assert shop.description() == "A customer completes an order."
    assert shop.publisher.versions("checkout.yaml")[0].text is None
    assert len(load_catalog(**shop.folders).presets) == 1


def test_to_take_away_a_file_that_no_other_folder_has_takes_the_preset_away(shop: Shop) -> None:
    shop.publish(LEAD, file="lead.yaml")
    shop.publish(None, file="lead.yaml")
    assert [preset.name for preset in shop.running.catalog.presets] == ["Checkout"]


def test_what_was_edited_by_hand_becomes_a_version_before_it_is_published_over(shop: Shop) -> None:
    shop.publish(OTHER)
    by_hand = OTHER.replace("Another", "A hand's")
    (shop.own / "checkout.yaml").write_text(by_hand, encoding="utf-8")
    shop.running.reload()
    assert [(each.number, each.author) for each in shop.publisher.versions("checkout.yaml")] == [
        (0, BY_HAND),
        (1, "ada"),
    ]
    assert shop.publish(OTHER) == 3
    second = shop.publisher.versions("checkout.yaml")[1]
    assert (second.author, second.text) == (BY_HAND, by_hand)


@pytest.mark.parametrize("text", ["subscribe: [", CHECKOUT.replace("event_name: checkout", "event_name: nonsense")])
def test_what_has_faults_is_not_written(shop: Shop, text: str) -> None:
    with pytest.raises(CatalogError):
        shop.publish(text)
    assert list(shop.own.iterdir()) == [shop.own / ".versions"]
    assert shop.publisher.versions("checkout.yaml") == []


@pytest.mark.parametrize(
    ("in_the_way", "text"),
    [
        pytest.param(".checkout.yaml.part", CHECKOUT, id="a file"),
        pytest.param(".versions/checkout.yaml/.2.json.part", CHECKOUT, id="the version of a file"),
        pytest.param(".versions/checkout.yaml/.2.json.part", None, id="the version that takes one away"),
    ],
)
def test_where_something_cannot_be_written_all_stays_as_it_was(shop: Shop, in_the_way: str, text: str | None) -> None:
    shop.publish(OTHER)
    before = shop.publisher.versions("checkout.yaml")
    (shop.own / in_the_way).mkdir()
    with pytest.raises(PublishingRefused, match=r"part cannot be written: Is a directory\. Check its owner"):
        shop.publish(text)
    assert shop.publisher.own_text("checkout.yaml") == OTHER
    assert shop.publisher.versions("checkout.yaml") == before


def test_a_version_is_never_written_over_another(shop: Shop) -> None:
    """Somebody made room by hand."""
    for number in (1, 2, 3):
        assert shop.publish(OTHER.replace("Another", f"Number {number}")) == number
    (shop.own / ".versions/checkout.yaml/1.json").unlink()
    assert shop.publish(OTHER) == 4
    assert [each.number for each in shop.publisher.versions("checkout.yaml")] == [4, 3, 2]


def test_what_was_made_for_another_catalog_is_not_published_over_it(shop: Shop) -> None:
    base = shop.running.catalog.generation
    shop.publish(OTHER)
    with pytest.raises(PublishingRefused, match="files changed while"):
        shop.publish(CHECKOUT, base=base)
    (shop.shipped / "lead.yaml").write_text(LEAD, encoding="utf-8")  # on disk, and not taken up yet
    with pytest.raises(PublishingRefused, match="files changed while"):
        shop.publish(CHECKOUT)


@pytest.mark.parametrize(
    "name", [".yaml", "../x.yaml/.yaml", "checkout.txt", ".hidden.yaml", "a" * 200 + ".yaml", "x\n.yaml"]
)
def test_a_name_that_is_no_files_name_is_refused(shop: Shop, name: str) -> None:
    with pytest.raises(PublishingRefused, match="letters, digits"):
        shop.publish(OTHER, file=name)


def test_a_path_never_leaves_ones_own_folder(shop: Shop) -> None:
    assert shop.publisher.target("/etc/../somewhere/checkout.yaml") == shop.own / "checkout.yaml"


def test_why_nothing_can_be_published_says_what_to_do(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    alone = Publisher(RunningCatalog(shop.shipped, shop.folders["mappings_dir"]))
    assert "PRESETS_DIR" in alone.why_not("checkout.yaml")
    assert "mkdir -p my-presets/.versions" in alone.why_not("checkout.yaml")
    assert "MAPPINGS_DIR" in shop.publisher.why_not(str(tmp_path / "mappings/report_conversion_event.yaml"))
    never = Publisher(shop.running, why_never="not here")
    assert never.why_not("checkout.yaml") == "not here"


def test_a_folder_that_cannot_be_written_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: path != shop.own)  # whoever is root may write everywhere
    assert f"{shop.own} cannot be written" in shop.publisher.why_not("checkout.yaml")


def test_what_cannot_be_taken_up_is_put_back(shop: Shop) -> None:
    shop.publisher.restore("checkout.yaml", OTHER)
    assert shop.publisher.own_text("checkout.yaml") == OTHER
    shop.publisher.restore("checkout.yaml", None)
    assert shop.publisher.own_text("checkout.yaml") is None
