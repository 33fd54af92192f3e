"""Which connections are taken in, and which one makes room."""

import resource
import sys
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from app.core.values.addresses import read_networks
from app.web.bounded_connection import Connections, connection_capacity, counted_address
from tests.rows import every_row

TRUSTED = read_networks(["198.51.100.0/24"])
ADDRESS = "203.0.113.7"


class Held:
    """A connection that can be cut."""

    is_open = True

    def abort(self) -> None:
        self.is_open = False


def connections(*, per_address: int = 99, capacity: int = 99, clock: Callable[[], float] = float) -> Connections:
    return Connections(per_address=per_address, capacity=capacity, trusted=TRUSTED, clock=clock)


@every_row(
    ("peer", "counted"),
    [
        (ADDRESS, ADDRESS),
        (f"::ffff:{ADDRESS}", ADDRESS),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", "2001:db8::/64"),
        ("2001:db8:0:1::2", "2001:db8:0:1::/64"),
        *((private, None) for private in ("127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1")),
        *((local, None) for local in ("100.64.0.1", "169.254.1.1", "fe80::1%eth0")),
        ("198.51.100.9", None),
        ("::ffff:198.51.100.9", None),
        (None, None),
    ],
)
def test_connections_are_counted_by_public_address(peer: str | None, counted: str | None) -> None:
    assert counted_address(peer, TRUSTED) == counted


def test_an_address_has_no_more_than_its_bound_and_another_is_not_touched_by_it() -> None:
    open_connections = connections(per_address=2)
    first, second, third = Held(), Held(), Held()
    assert open_connections.admit(first, ADDRESS)
    assert open_connections.admit(second, ADDRESS)
    assert not open_connections.admit(third, ADDRESS)
    assert open_connections.admit(Held(), "203.0.113.8")
    open_connections.remove(third)
    assert not open_connections.admit(Held(), ADDRESS)
    open_connections.remove(first)
    assert open_connections.admit(third, ADDRESS)
    assert first.is_open
    assert second.is_open


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", "198.51.100.1", None])
def test_loopback_private_networks_and_proxies_have_no_bound(peer: str | None) -> None:
    open_connections = connections(per_address=1)
    assert all(open_connections.admit(Held(), peer) for _ in range(3))


def test_the_connection_without_progress_for_longest_makes_room() -> None:
    open_connections = connections(capacity=3)
    first, second, third, fourth, fifth = (Held() for _ in range(5))
    for each in (first, second, third):
        assert open_connections.admit(each, ADDRESS)
    open_connections.touch(first)
    assert open_connections.admit(fourth, ADDRESS)
    assert [each.is_open for each in (first, second, third)] == [True, False, True]
    open_connections.touch(second)  # it is closed, and no longer there to be closed in another's place
    open_connections.remove(second)
    open_connections.remove(third)
    assert open_connections.admit(fifth, ADDRESS)
    assert all(each.is_open for each in (first, third, fourth, fifth))


def test_what_is_closed_is_logged_once_a_minute_without_an_address() -> None:
    now = 0.0
    open_connections = connections(per_address=1, capacity=2, clock=lambda: now)
    with capture_logs() as logged:
        for _ in range(4):
            open_connections.admit(Held(), ADDRESS)
        now = 59
        for _ in range(3):
            open_connections.admit(Held(), None)
        now = 60
        open_connections.admit(Held(), ADDRESS)
    lines = [(line["event"], line["why"], line["connections"]) for line in logged]
    bound, room = "its address has the maximum of open connections", "no descriptors are left for it"
    assert [(event, why.partition(":")[0], count) for event, why, count in lines] == [
        ("connections closed", bound, 1),
        ("connections closed", bound, 2),
        ("connections closed", room, 3),
    ]
    assert ADDRESS not in str(logged)


@pytest.mark.parametrize(
    ("descriptors", "capacity"), [(64, 32), (256, 128), (1024, 896), (resource.RLIM_INFINITY, sys.maxsize)]
)
def test_descriptors_are_kept_back_for_the_rest_of_the_process(
    descriptors: int, capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert connection_capacity() == capacity
