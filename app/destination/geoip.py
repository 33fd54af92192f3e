"""Look up the US state of an IP address in a database that the operator provides (`GEOIP_DB`)."""

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

#: A database of countries has no states in any network; a database of cities has one within the first few networks.
_SEARCHED_NETWORKS: Final = 2_000
#: Raised for an IPv6 address if the file has none, a network without a record or a state, or a damaged record.
_UNKNOWN: Final = (LookupError, TypeError, ValueError, AttributeError, maxminddb.InvalidDatabaseError)


class AddressDatabase:
    """Looks up states in a file of MaxMind's format; a replaced file is read at the next look-up.

    The object reads an unnamed copy, because truncating a mapped file would end the process (SIGBUS).
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises SettingsError if it is unreadable or has no states."""
        self._path = path
        self._seen = file_state(path)
        self._reader = _opened(path)

    def __call__(self, address: str) -> str | None:
        """Return the code of the state of an address; `None` outside the USA or if unknown."""
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
            return us_state_code(state.get("iso_code") or state["names"]["en"])  # some databases only have names
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
