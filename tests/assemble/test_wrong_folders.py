"""Folders of YAML files that are not there, cannot be read, or are empty."""

from pathlib import Path

import pytest

from app.errors import CatalogError
from app.main import create_app
from tests.assembled import settings


@pytest.mark.parametrize("setting", ["PRESETS_DIR", "MAPPINGS_DIR", "DESTINATIONS_DIR", "SOURCES_DIR"])
def test_a_folder_that_is_wrong_is_told_with_the_setting_that_names_it(setting: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, told in (
        ("nodir", f"the folder does not exist: create it, or name another in {setting}"),
        ("long" * 100, "cannot be read: File name too long"),
        ("empty", f"the folder has no YAML file: add one, or remove the folder from {setting}"),
    ):
        with pytest.raises(CatalogError) as caught:
            create_app(settings(**{setting.lower(): (tmp_path / folder,)}))
        assert [str(fault) for fault in caught.value.faults] == [f"{tmp_path / folder}: {told}"]
