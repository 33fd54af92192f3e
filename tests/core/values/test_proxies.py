"""Who really called: whose word is believed."""

import pytest

from app.core.values.addresses import client_ip, read_networks
from tests.rows import every_row

PROXIES = read_networks(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])


@every_row(
    ("peer", "forwarded_for", "ip"),
    [
        pytest.param("198.51.100.7", None, "198.51.100.7", id="no proxy"),
        pytest.param("198.51.100.7", "203.0.113.41", "198.51.100.7", id="a stranger's header is not believed"),
        pytest.param("10.0.0.1", "203.0.113.41", "203.0.113.41", id="a trusted proxy is"),
        pytest.param("192.0.2.1", "203.0.113.41, 10.9.9.9", "203.0.113.41", id="through two trusted proxies"),
        pytest.param("10.0.0.1", "1.1.1.1, 203.0.113.41", "203.0.113.41", id="what a client wrote is not believed"),
        pytest.param("10.0.0.1", "10.0.0.2", "10.0.0.2", id="trusted to the end: the first"),
        pytest.param("10.0.0.1", None, "10.0.0.1", id="a trusted proxy that says nothing"),
        pytest.param("10.0.0.1", "203.0.113.41, ", "203.0.113.41", id="empty entries are skipped"),
        pytest.param("10.0.0.1", "unknown", None, id="not an address"),
        pytest.param("10.0.0.1", "203.0.113.41:4711", "203.0.113.41", id="with a port"),
        pytest.param("2001:db8::1", "[2a00::1]:4711", "2a00::1", id="IPv6 with a port"),
        pytest.param("::ffff:10.0.0.1", "2a00::1", "2a00::1", id="IPv4 written as IPv6"),
        pytest.param("testclient", "203.0.113.41", None, id="a peer without an address"),
        pytest.param(None, "203.0.113.41", None, id="no peer"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str | None, forwarded_for: str | None, ip: str | None
) -> None:
    assert client_ip(peer, forwarded_for, PROXIES) == ip
