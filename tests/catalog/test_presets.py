"""A text is read and compiled once, and what it gives belongs to the file that holds it."""

import pytest

from app.catalog import Catalog, Preset, compile_catalog
from app.catalog.yaml_files import read_texts
from app.errors import CatalogError
from tests.process import ROOT

PRESETS, MAPPINGS = read_texts(PRESETS_DIR=ROOT / "presets", MAPPINGS_DIR=ROOT / "mappings")
CHANGED = next(iter(PRESETS))


def catalog(**changed: str) -> Catalog:
    return compile_catalog(PRESETS | changed, MAPPINGS)


def by_file(found: Catalog) -> dict[str, Preset]:
    return {preset.file: preset for preset in found.presets}


def test_only_the_preset_whose_text_changed_is_compiled_anew() -> None:
    before, after = by_file(catalog()), by_file(catalog(**{CHANGED: PRESETS[CHANGED] + "\n# a remark"}))
    assert [file for file in before if before[file] is not after[file]] == [CHANGED]
    assert after[CHANGED].fields == before[CHANGED].fields


def test_a_change_of_the_action_compiles_every_preset_anew() -> None:
    before = by_file(catalog())
    after = by_file(compile_catalog(PRESETS, {file: text + "\n# a remark" for file, text in MAPPINGS.items()}))
    assert [file for file in before if before[file] is after[file]] == []


def test_other_event_names_are_checked_anew() -> None:
    own = PRESETS[CHANGED].replace("event_name: ", "event_name: my_own_", 1)
    assert own != PRESETS[CHANGED]
    with pytest.raises(CatalogError, match="my_own_"):
        catalog(**{CHANGED: own})
    names = [f"my_own_{preset.fields['event_name']}" for preset in catalog().presets]
    assert CHANGED in by_file(compile_catalog(PRESETS | {CHANGED: own}, MAPPINGS, custom_event_names=names))


@pytest.mark.parametrize("text", ["a: [", "name: A\nsubscribe: type ==\naction: report_conversion_event\n"])
def test_the_same_faulty_text_in_two_files_is_told_of_both(text: str) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog(**{"one.yaml": text, "two.yaml": text})
    assert {fault.file for fault in caught.value.faults} == {"one.yaml", "two.yaml"}
    again = [str(fault) for fault in caught.value.faults]
    with pytest.raises(CatalogError) as caught:
        catalog(**{"one.yaml": text, "two.yaml": text})
    assert [str(fault) for fault in caught.value.faults] == again
