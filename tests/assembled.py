"""The shipped presets and mappings, joined by `app.assemble` as the settings say, whatever the environment holds."""

import os
from functools import cache
from typing import Any
from unittest.mock import patch

from app import assemble
from app.catalog import Catalog
from app.config import Settings, load_settings
from app.receiving.pipeline import Pipeline
from tests.process import ROOT

#: The folders of the shipped files, wherever the tests run.
SHIPPED = {"presets_dir": (ROOT / "presets",), "mappings_dir": (ROOT / "mappings",)}


def settings(**changes: Any) -> Settings:
    """Return the default settings with these changes; the environment is not read."""
    with patch.dict(os.environ, clear=True):
        return load_settings(**(SHIPPED | changes))


@cache
def shipped_catalog() -> Catalog:
    """Return the compiled catalog that is shipped."""
    return assemble.running_catalog(settings()).catalog


def pipeline(catalog: Catalog | None = None, *, outbox: Any = None, **changes: Any) -> Pipeline:
    """Return the pipeline of the default settings with these changes, over the shipped catalog where none is given."""
    return assemble.pipeline(settings(**changes), catalog or shipped_catalog(), outbox=outbox)
