"""DuckDB's extensions: what reads S3, the web, SQLite and MySQL. They are installed as packages; nothing is fetched.

An extension is of exactly one version of DuckDB, on which its package depends. Addresses may hold passwords and tokens:
of what DuckDB says about a fault nothing is told here.
"""

import os
import re
import ssl
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from app.errors import SettingsError, WarehouseError

#: How an address begins -> which extensions read it. What begins otherwise is a file of this machine.
_READ_BY: Final = {
    "s3://": ("httpfs", "aws"),
    "https://": ("httpfs",),
    "http://": ("httpfs",),
    "mysql://": ("mysql_scanner",),
    "sqlite://": ("sqlite_scanner",),
}
_CATALOG: Final = "warehouse"
_DATABASES: Final = ("mysql://", "sqlite://")


def extensions_of(where: str, query: str | None) -> tuple[str, ...]:
    """Return which extensions an address needs, and a query that names addresses itself."""
    texts = [where] if query is None else [where, *query.split("'")[1::2]]
    needed = (names for start, names in _READ_BY.items() if any(text.startswith(start) for text in texts))
    return tuple(dict.fromkeys(name for names in needed for name in names))


def names_database(where: str) -> bool:
    """Return whether an address is that of a database, which is read by a query."""
    return where.startswith(_DATABASES)


def name_of_file(where: str) -> str:
    """Return an address without what stands behind its path, such as a token."""
    return re.split("[?#]", where, maxsplit=1)[0] if "://" in where else where


def require_file(name: str) -> None:
    """Raise WarehouseError where it is no file, or an empty one, without its name: it may be a mistyped address."""
    if not os.path.isfile(name):  # noqa: PTH113 - a name that is too long is none, and no error that quotes it
        raise WarehouseError("there is no such file")
    if not os.path.getsize(name):  # noqa: PTH202 - as above
        raise WarehouseError("the file is empty, it has no columns either: export it anew")


def load_extension(duck: Any, name: str) -> None:
    """Load an extension from its package. Raises SettingsError where there is none for this version of DuckDB."""
    import duckdb  # noqa: PLC0415 - needs the extra

    package = find_spec(f"duckdb_extension_{name}")
    folders = package.submodule_search_locations if package else None
    files = (Path(each, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension") for each in folders or ())
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        message = f"this needs the extra `warehouse`, with `{name}` for DuckDB: pip install 'pinrelay[warehouse]'"
        raise SettingsError(message)
    duck.execute(f"LOAD {quoted(str(file))}")
    trusted = ssl.get_default_verify_paths().cafile
    if name == "httpfs" and trusted:
        duck.execute(f"SET GLOBAL ca_cert_file = {quoted(trusted)}")
    if name == "sqlite_scanner":  # whose columns hold anything, whatever they are declared as
        duck.execute("SET GLOBAL sqlite_all_varchar = true")
    if name == "aws":
        with suppress(duckdb.Error):  # there may be no credentials: what is public needs none
            duck.execute("CREATE SECRET (TYPE s3, PROVIDER credential_chain)")


def attach_database(duck: Any, where: str) -> str | None:
    """Attach the database of an address, and return its catalog; None where it is none of a database.

    Raises WarehouseError, without the address.
    """
    if not names_database(where):
        return None
    import duckdb  # noqa: PLC0415 - needs the extra

    kind = where.partition("://")[0]
    database = where.removeprefix("sqlite://")
    if kind == "sqlite":
        require_file(database)
    try:
        duck.execute(f"ATTACH {quoted(database)} AS {_CATALOG} (TYPE {kind}, READ_ONLY)")
    except duckdb.Error as exc:
        message = f"the database cannot be opened ({type(exc).__name__}). Look at the address, and who may log in"
        raise WarehouseError(message) from None
    return _CATALOG


def quoted(text: str) -> str:
    """Return a text as a string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
