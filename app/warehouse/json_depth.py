"""How deep JSON is nested, before anything recurses over it: DuckDB crashes on what is nested too deeply."""

import gzip
import re
from pathlib import Path
from typing import IO, Final

from app.errors import WarehouseError

#: No shop's order is nested as deeply.
MAX_JSON_DEPTH: Final = 100
_AT_ONCE: Final = 1 << 20
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_DULL: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEPS: Final = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}


def require_shallow(where: str) -> None:
    """Raise WarehouseError where a file of JSON is nested deeper than MAX_JSON_DEPTH; other files are not read."""
    suffixes = [suffix.lower() for suffix in Path(where).suffixes[-2:]]
    if not {".json", ".ndjson", ".jsonl"} & set(suffixes):
        return
    try:
        with gzip.open(where, "rb") if suffixes[-1] == ".gz" else Path(where).open("rb") as file:
            _walk(file)
    except (EOFError, gzip.BadGzipFile, OSError) as exc:
        raise WarehouseError(f"the file cannot be read ({type(exc).__name__}): export it again") from None


def _walk(file: IO[bytes] | gzip.GzipFile) -> None:
    depth, is_in_text, rest = 0, False, b""
    while chunk := file.read(_AT_ONCE):
        read = _ESCAPED.sub(b"", rest + chunk)
        rest = b"\\" if read.endswith(b"\\") else b""  # the first half of an escape
        pieces = read.translate(None, _DULL).split(b'"')
        for byte in b"".join(pieces[is_in_text::2]):
            depth = max(0, depth + _STEPS[byte])
            if depth > MAX_JSON_DEPTH:
                raise WarehouseError(
                    f"the file is nested deeper than {MAX_JSON_DEPTH} levels, or has unclosed brackets: "
                    "export only orders"
                )
        is_in_text ^= len(pieces) % 2 == 0
