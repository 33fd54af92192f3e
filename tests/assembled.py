"""The shipped presets and mappings, joined by `app.assemble` as the settings say, whatever the environment holds."""

import os
from functools import cache
from typing import Any
from unittest.mock import patch

from app import assemble
from app.catalog import Catalog
from app.config import Settings, load_settings
from app.pipeline.pipeline import Pipeline
from tests.process import ROOT

#: The folders of the shipped files, wherever the tests run.
SHIPPED = {"presets_dir": (ROOT / "presets",), "mappings_dir": (ROOT / "mappings",)}


def settings(**changes: Any) -> Settings:
    """Return the default settings with these changes; the environment is not read."""
    with patch.dict(os.environ, clear=True), patch.object(Settings, "settings_customise_sources", _arguments):
        return load_settings(**(SHIPPED | changes))


def _arguments(settings_cls: type, init_settings: Any, **_: Any) -> tuple[Any, ...]:
    """Let only arguments be read: to look for each variable would take four times as long as all the rest."""
    return (init_settings,)


@cache
def shipped_catalog() -> Catalog:
    """Return the compiled catalog that is shipped."""
    return assemble.running_catalog(settings()).catalog


def pipeline(catalog: Catalog | None = None, *, outbox: Any = None, **changes: Any) -> Pipeline:
    """Return the pipeline of the default settings with these changes, over the shipped catalog where none is given."""
    return assemble.pipeline(settings(**changes), catalog or shipped_catalog(), outbox=outbox)
