"""The settings of sources with a name. `Settings` inherits them."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from app.config.environment import FolderPaths, Texts
from app.config.shipped_files import folder_or_shipped


class SourceSettings(BaseSettings):
    """Which sources there are beside the one that the other settings describe, `default`."""

    sources: Texts = Field((), description="names of sources that are on: shipped ones, or those of SOURCES_DIR")
    sources_dir: FolderPaths = Field((), description="folders of sources; without SOURCES all of theirs are on")

    @property
    def source_folders(self) -> tuple[Path, ...]:
        """Where sources are looked for: those that come with Pinrelay, where SOURCES_DIR names no others."""
        return self.sources_dir or (folder_or_shipped(Path("sources")),)

    @property
    def has_sources(self) -> bool:
        """Whether there are sources with a name."""
        return bool(self.sources or self.sources_dir)
