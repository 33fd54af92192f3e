"""Files that are read at the start only: whether they have changed since, and whether a restart would take them up."""

from collections.abc import Callable
from pathlib import Path

from app.catalog.yaml_files import Folders, folders_of, read_texts
from app.config.environment import file_state
from app.errors import CatalogError


class StartedFiles:
    """Compares the YAML files of folders with what they were when a process started."""

    def __init__(
        self, setting: str, folders: Folders, check: Callable[[], object], *, on_change: Callable[[str], None]
    ) -> None:
        """Take what the files are now as what runs.

        `setting` is the variable that names the folders. `check` reads the files as a start does, and raises
        CatalogError where it would not come up. `on_change` is told of each notice that is not "". Raises CatalogError
        where a file cannot be read.
        """
        self._setting = setting
        self._folders = folders
        self._check = check
        self._on_change = on_change
        self._running = self._texts()
        self._seen = self._states()
        #: Why a restart is needed, and what would keep it from coming up; "" where none is needed.
        self.notice = ""

    def look(self) -> None:
        """Look again, at files that have changed since the last look only."""
        states = self._states()
        if states == self._seen:
            return
        self._seen = states
        before, self.notice = self.notice, self._notice()
        if self.notice not in {"", before}:
            self._on_change(self.notice)

    def _notice(self) -> str:
        try:
            now = self._texts()
        except CatalogError as exc:
            return f"{self._setting}: its files cannot be read, so a restart would fail. {_told(exc)}"
        changed = sorted(Path(path).name for path, _ in self._running.items() ^ now.items())
        if not changed:
            return ""
        files = ", ".join(dict.fromkeys(changed))
        try:
            self._check()
        except CatalogError as exc:
            return f"{self._setting}: changed since the start: {files}. A restart would fail. {_told(exc)}"
        return f"{self._setting}: changed since the start: {files}. Restart to apply it."

    def _texts(self) -> dict[str, str]:
        (texts,) = read_texts(**{self._setting: self._folders})
        return texts

    def _states(self) -> list[tuple[int, ...]]:
        """Return what changes where a file does, or comes, or goes."""
        folders = folders_of(self._folders)
        return [file_state(path) for folder in folders for path in (folder, *sorted(folder.glob("*.y*ml")))]


def _told(exc: CatalogError) -> str:
    return " ".join(map(str, exc.faults))
