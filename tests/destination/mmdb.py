"""Writes databases of addresses in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), of IPv4 networks."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_UTF8, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 5, 6, 7, 9, 11
_SEPARATOR = bytes(16)


def write_mmdb(path: Path, networks: Mapping[str, Any], *, database_type: str = "Test-City") -> Path:
    """Write a file that has these records by network, such as `203.0.113.0/24`; no network lies in another."""
    nodes: list[list[int | None]] = [[None, None]]
    data, placed = b"", []
    for network, record in networks.items():
        bits = f"{int(ip_network(network).network_address):032b}"[: ip_network(network).prefixlen]
        node = 0
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes[node][int(bit)] = len(nodes)
                nodes.append([None, None])
            node = nodes[node][int(bit)] or 0
        placed.append((node, int(bits[-1]), len(data)))
        data += _encoded(record)
    for node, side, at in placed:
        nodes[node][side] = len(nodes) + len(_SEPARATOR) + at
    tree = b"".join((len(nodes) if at is None else at).to_bytes(3, "big") for node in nodes for at in node)
    about = {
        "node_count": (_UINT32, len(nodes)),
        "record_size": (_UINT16, 24),
        "ip_version": (_UINT16, 4),
        "database_type": database_type,
        "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1_795_601_400),
        "description": {"en": "of a test"},
    }
    path.write_bytes(tree + _SEPARATOR + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about))
    return path


def _encoded(value: Any) -> bytes:
    if isinstance(value, tuple):
        kind, number = value
        digits: bytes = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _control(kind, len(digits)) + digits
    if isinstance(value, str):
        return _control(_UTF8, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    return _control(_MAP, len(value)) + b"".join(_encoded(key) + _encoded(each) for key, each in value.items())


def _control(kind: int, size: int) -> bytes:
    extended = kind > 7
    first = (0 if extended else kind << 5) | min(size, 29)
    return bytes([first, *([kind - 7] if extended else []), *([size - 29] if size >= 29 else [])])
