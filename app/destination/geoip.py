"""The state of the USA that an address lies in, by a database that the operator brings (`GEOIP_DB`)."""

import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any, Final

import maxminddb

from app.config.environment import file_state
from app.config.validators import us_state_code
from app.core.log import log_addresses_kept
from app.errors import SettingsError

#: A database of countries names no state in any of its networks; one of cities does so within the first few.
_SEARCHED_NETWORKS: Final = 2_000
#: Raised for an address of IPv6 where the file has none, a network without a record or a state, a damaged record.
_UNKNOWN: Final = (LookupError, TypeError, ValueError, AttributeError, maxminddb.InvalidDatabaseError)


class AddressDatabase:
    """Looks states up in a file of MaxMind's format; a file that was replaced is read at the next question.

    It reads a copy without a name: a file that is cut while it is mapped would end the process (SIGBUS).
    """

    def __init__(self, path: Path) -> None:
        """Open the file; SettingsError where it cannot be read, or names no states."""
        self._path = path
        self._seen = file_state(path)
        self._reader = _opened(path)

    def __call__(self, address: str) -> str | None:
        """Return the code of the state of an address, None outside the USA and where nothing is known."""
        if (state := file_state(self._path)) != self._seen:
            self._seen = state
            try:
                self._reader = _opened(self._path)
            except SettingsError as exc:
                log_addresses_kept(str(exc))
        try:
            record: Any = self._reader.get(address)
            if record["country"]["iso_code"] != "US":
                return None
            state = record["subdivisions"][0]
            return us_state_code(state.get("iso_code") or state["names"]["en"])  # some databases give names only
        except _UNKNOWN:
            return None


def _opened(path: Path) -> maxminddb.Reader:
    try:
        with path.open("rb") as file, tempfile.NamedTemporaryFile(prefix="pinrelay-addresses-") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            reader = maxminddb.open_database(copy.name)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no file of MaxMind's format"
        raise SettingsError(f"GEOIP_DB: {path} cannot be read: {why}. Name a file such as GeoLite2-City.mmdb") from exc
    if not any("subdivisions" in record for _, record in islice(reader, _SEARCHED_NETWORKS) if type(record) is dict):
        raise SettingsError(
            f"GEOIP_DB: {path} ({reader.metadata().database_type}) names no states. Use a database of cities, such as "
            "GeoLite2-City.mmdb"
        )
    return reader
