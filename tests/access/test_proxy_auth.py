"""Whom an authenticating proxy names."""

from typing import Any

import pytest
from starlette.requests import Request

from app.access.admission import UserHeaders, named_by_proxy
from app.access.users import UserRole
from app.config.settings import AccessSettings
from app.core.values.addresses import read_networks
from app.errors import SettingsError
from app.outbox import Outbox
from tests.access.stores import access_of
from tests.rows import every_row

PROXIES = read_networks(["10.0.0.0/8"])
BOTH = UserHeaders(name="X-Webauth-User", role="X-Webauth-Role")


def request(peer: str | None, *headers: tuple[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "headers": raw, "client": peer and (peer, 1)})


NAMED = ("X-Webauth-User", "ada")


@every_row(
    ("peer", "believed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("192.0.2.7", False), (None, False), ("unix", False)],
)
def test_a_name_is_believed_only_where_the_peer_itself_is_a_trusted_proxy(peer: str | None, *, believed: bool) -> None:
    forwarded = ("X-Forwarded-For", "10.0.0.1")
    found = named_by_proxy(request(peer, NAMED, forwarded), BOTH, PROXIES)
    assert found is not None
    assert (found.name, found.is_believed) == ("ada", believed)


@pytest.mark.parametrize("headers", [(), (("X-Webauth-User", ""),), (("X-Webauth-User", "  "),), (("X-Other", "ada"),)])
def test_nobody_is_named(headers: tuple[tuple[str, str], ...]) -> None:
    assert named_by_proxy(request("10.0.0.1", *headers), BOTH, PROXIES) is None


@pytest.mark.parametrize("other", ["eve", "ada", ""])
def test_a_header_that_stands_there_twice_is_not_believed(other: str) -> None:
    found = named_by_proxy(request("10.0.0.1", NAMED, ("x-webauth-user", other)), BOTH, PROXIES)
    assert found is not None
    assert not found.is_believed


@every_row(
    ("headers", "roles", "role"),
    [
        (BOTH, ("operator",), UserRole.OPERATOR),
        (BOTH, (" Operator ",), UserRole.OPERATOR),
        (BOTH, (), UserRole.VIEWER),
        (BOTH, ("viewer",), UserRole.VIEWER),
        (BOTH, ("admin",), UserRole.VIEWER),
        (BOTH, ("operator", "viewer"), UserRole.VIEWER),
        (BOTH, ("operator,viewer",), UserRole.VIEWER),
        (UserHeaders(name="X-Webauth-User"), ("operator",), UserRole.VIEWER),
    ],
)
def test_the_role_is_the_lesser_unless_the_header_says_operator(
    headers: UserHeaders, roles: tuple[str, ...], role: UserRole
) -> None:
    asked = request("10.0.0.1", NAMED, *(("X-Webauth-Role", each) for each in roles))
    found = named_by_proxy(asked, headers, PROXIES)
    assert found is not None
    assert found.role is role


@every_row(
    ("groups", "role"),
    [
        (("staff,pinrelay-operators",), UserRole.OPERATOR),
        (("pinrelay-operators",), UserRole.OPERATOR),
        (("staff|pinrelay-operators|x",), UserRole.OPERATOR),
        (("staff, pinrelay-operators ",), UserRole.OPERATOR),
        (("staff",), UserRole.VIEWER),
        (("",), UserRole.VIEWER),
        ((), UserRole.VIEWER),
        (("operator",), UserRole.VIEWER),
        (("Pinrelay-Operators",), UserRole.VIEWER),
        (("pinrelay-operators-of-old",), UserRole.VIEWER),
        (("staff", "pinrelay-operators"), UserRole.VIEWER),  # one of them may be the visitor's own
    ],
)
def test_members_of_the_named_group_are_operators(groups: tuple[str, ...], role: UserRole) -> None:
    headers = UserHeaders.of(
        AccessSettings.model_construct(
            console_user_header="X-Forwarded-Email",
            console_role_header="X-Forwarded-Groups: pinrelay-operators",
            trusted_proxies=("10.0.0.1",),
        )
    )
    assert headers == UserHeaders(name="X-Forwarded-Email", role="X-Forwarded-Groups", operators="pinrelay-operators")
    asked = request("10.0.0.1", ("X-Forwarded-Email", "ada"), *(("X-Forwarded-Groups", each) for each in groups))
    found = named_by_proxy(asked, headers, PROXIES)
    assert found is not None
    assert found.role is role


def test_a_long_name_is_cut() -> None:
    found = named_by_proxy(request("10.0.0.1", ("X-Webauth-User", "a" * 10_000)), BOTH, PROXIES)
    assert found is not None
    assert len(found.name) == 100


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"console_user_header": "X-Webauth-User"}, "TRUSTED_PROXIES"),
        ({"console_role_header": "X-Webauth-Role"}, "CONSOLE_USER_HEADER"),
        (
            {"console_user_header": "X", "console_role_header": "Groups:", "trusted": ("127.0.0.1",)},
            "CONSOLE_ROLE_HEADER: write it",
        ),
        (
            {"console_user_header": "X", "console_role_header": ": staff", "trusted": ("127.0.0.1",)},
            "CONSOLE_ROLE_HEADER: write it",
        ),
    ],
)
async def test_an_authenticating_proxy_has_to_be_named_whole(given: dict[str, Any], told: str, store: Outbox) -> None:
    with pytest.raises(SettingsError, match=told):
        access_of(store, **given)


@pytest.mark.parametrize("role", [None, "X-Webauth-Role"])
def test_an_authenticating_proxy_names_people_by_its_headers(role: str | None) -> None:
    headers = UserHeaders.of(
        AccessSettings.model_construct(
            console_user_header="X-Webauth-User", console_role_header=role, trusted_proxies=("10.0.0.1",)
        )
    )
    assert headers == UserHeaders(name="X-Webauth-User", role=role)
