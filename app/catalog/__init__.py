"""Presets and mappings: read from files, checked, compiled, replaced while running."""

from app.catalog.catalog import MAX_ENABLED_PRESETS, Catalog, compile_catalog, load_catalog
from app.catalog.presets import ACTION, Preset

__all__ = ["ACTION", "MAX_ENABLED_PRESETS", "Catalog", "Preset", "compile_catalog", "load_catalog"]
