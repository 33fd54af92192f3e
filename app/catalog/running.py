"""The catalog that runs now: loaded at start-up, replaced as a whole by a reload."""

from collections.abc import Callable, Collection

from app.catalog import Catalog, compile_catalog
from app.catalog.compile import FileTexts
from app.catalog.folders import Folders, folders_of, read_texts


class RunningCatalog:
    """Reads the files of the folders, and hands each new catalog to the pipeline."""

    def __init__(
        self,
        presets_dir: Folders,
        mappings_dir: Folders,
        *,
        custom_event_names: Collection[str] = (),
        check: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:
        """Read the files. `check` is given the names of all presets, and raises CatalogError where one is missing."""
        #: Of presets and of mappings, by the settings that name them.
        self.folders = {"PRESETS_DIR": folders_of(presets_dir), "MAPPINGS_DIR": folders_of(mappings_dir)}
        self._custom_event_names = custom_event_names
        self._check = check
        self.preset_texts: dict[str, str] = {}
        self.mapping_texts: dict[str, str] = {}
        #: Is told of every new catalog.
        self.on_change: Callable[[Catalog], None] = lambda _: None
        self.catalog = self._load()

    def _load(self) -> Catalog:
        presets, mappings = self.read_files()
        catalog = self.compiled(presets, mappings)
        self._check(frozenset(preset.name for preset in catalog.presets))
        self.preset_texts, self.mapping_texts = presets, mappings
        return catalog

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file that the catalog was made of, by its shown path: presets, then mappings."""
        return self.preset_texts | self.mapping_texts

    def with_draft(self, file: str, text: str) -> Catalog:
        """Return the catalog that this text in place of a file of `texts` would give. Raises CatalogError."""
        presets, mappings = dict(self.preset_texts), dict(self.mapping_texts)
        (mappings if file in mappings else presets)[file] = text
        return self.compiled(presets, mappings)

    def read_files(self) -> list[dict[str, str]]:
        """Return the texts of presets and of mappings as they are on the disk now. Raises CatalogError."""
        return read_texts(**self.folders)

    def compiled(self, presets: FileTexts, mappings: FileTexts) -> Catalog:
        """Return the catalog that these texts give under the same settings. Raises CatalogError."""
        return compile_catalog(presets, mappings, custom_event_names=self._custom_event_names)

    def preset_names(self) -> frozenset[str]:
        """Return the names of all presets that run, those off in their files too."""
        return frozenset(preset.name for preset in self.catalog.presets)

    def reload(self) -> str:
        """Read the files anew, all or nothing; return the generation that runs now. Raises CatalogError."""
        self.catalog = self._load()
        self.on_change(self.catalog)
        return self.catalog.generation
