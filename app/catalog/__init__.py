"""Presets and mappings: read from files, checked, compiled, replaced while running."""

from app.catalog.compile import ACTION, MAX_ENABLED_PRESETS, Catalog, Preset, compile_catalog, load_catalog

__all__ = ["ACTION", "MAX_ENABLED_PRESETS", "Catalog", "Preset", "compile_catalog", "load_catalog"]
