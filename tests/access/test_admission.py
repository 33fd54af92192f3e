"""Who is admitted, as whom, and what is written down of it."""

import asyncio

import pytest
from starlette.requests import Request

from app.access.admission import Denial, LoggedIn, NamedByProxy, sent_from_console
from app.access.sessions import MAX_DELAYED, MAX_NOTED, SESSION_S
from app.access.users import Person, UserRole
from app.outbox import Outbox
from tests.access.stores import NOW, OPERATOR, PASSWORD, USERS, VIEWER, access_of, noted, users_of, visitor
from tests.rows import every_row

ADA = Person(name="ada", role=UserRole.OPERATOR, place="192.0.2.7")
BOB = Person(name="bob", role=UserRole.VIEWER, place="192.0.2.7")
SSO = NamedByProxy(name="eve", role=UserRole.VIEWER, is_believed=True)


@pytest.mark.parametrize(
    ("rule", "users", "asks", "admitted"),
    [
        ("without tokens this machine", (), visitor(is_near=True, client="127.0.0.1"), "this machine"),
        ("without tokens nobody else", (), visitor(), Denial.FAR),
        ("a bearer token opens nothing where there are none", (), visitor(bearer=""), Denial.FAR),
        ("with tokens this machine neither", USERS, visitor(is_near=True), Denial.LOGIN_NEEDED),
        ("a token", USERS, visitor(bearer=OPERATOR), "ada"),
        ("another token", USERS, visitor(bearer=VIEWER), "bob"),
        ("a wrong token", USERS, visitor(bearer="x", is_near=True), Denial.WRONG),
        ("a cookie of nobody", USERS, visitor(session="\udcff"), Denial.LOGIN_NEEDED),
        ("a name by a trusted proxy", (), visitor(named=SSO), "eve"),
        ("it comes before all else", USERS, visitor(named=SSO, bearer="x"), "eve"),
        (
            "a name that somebody else wrote, whatever else is right",
            USERS,
            visitor(named=NamedByProxy(name="ada", role=UserRole.OPERATOR, is_believed=False), bearer=OPERATOR),
            Denial.NOT_BELIEVED,
        ),
    ],
)
async def test_a_visitor_is_admitted_or_not_by_what_they_prove(
    *, rule: str, users: tuple[str, ...], asks: object, admitted: str | Denial, store: Outbox
) -> None:
    found = await access_of(store, *users).admit(asks, now=NOW)  # type: ignore[arg-type] # a visitor
    assert (found.name if isinstance(found, Person) else found) == admitted


@pytest.mark.slow
async def test_a_session_lasts_until_its_time_is_over(store: Outbox) -> None:
    access = access_of(store, *USERS)
    login = await access.login(VIEWER, visitor(), now=NOW)
    assert isinstance(login, LoggedIn)
    returns = visitor(session=login.session)
    person = await access.admit(returns, now=NOW + SESSION_S - 1)
    assert isinstance(person, Person)
    assert (person.name, person.role, person.has_session) == ("bob", UserRole.VIEWER, True)
    assert await access.admit(returns, now=NOW + SESSION_S) is Denial.LOGIN_NEEDED
    assert await access.admit(returns, now=NOW, by_session=False) is Denial.LOGIN_NEEDED


@pytest.mark.slow
async def test_every_process_takes_a_session_and_log_out_ends_it_for_all(store: Outbox) -> None:
    one, other = access_of(store, *USERS), access_of(store, *USERS)
    login = await one.login(OPERATOR, visitor(), now=NOW)
    assert isinstance(login, LoggedIn)
    returns = visitor(session=login.session)
    person = await other.admit(returns, now=NOW)
    assert isinstance(person, Person)
    await other.logout(person, returns)
    assert await one.admit(returns, now=NOW) is Denial.LOGIN_NEEDED


@pytest.mark.parametrize(
    ("users", "goes_on"),
    [
        (USERS, True),
        ((f"ada:viewer:{OPERATOR}",), True),
        (("ada:operator:another-token",), False),
        ((f"carol:operator:{OPERATOR}",), False),
        ((), False),
    ],
    ids=["as it was", "another role", "another token", "another name", "gone"],
)
async def test_a_session_is_over_when_its_token_is(users: tuple[str, ...], *, goes_on: bool, store: Outbox) -> None:
    access = access_of(store, *USERS)
    login = await access.login(OPERATOR, visitor(), now=NOW)
    assert isinstance(login, LoggedIn)
    access.take(users_of(*users))
    assert isinstance(await access.admit(visitor(session=login.session), now=NOW), Person) is goes_on


async def test_the_password_is_that_of_an_operator(store: Outbox) -> None:
    person = await access_of(store, password=PASSWORD).admit(visitor(bearer=PASSWORD), now=NOW)
    assert person == Person(name="console", role=UserRole.OPERATOR, place="192.0.2.7")


@pytest.mark.parametrize("given", ["", "correct", PASSWORD + " ", PASSWORD.upper(), "\ud800"])
async def test_anything_else_is_wrong(given: str, store: Outbox) -> None:
    assert await access_of(store, password=PASSWORD).login(given, visitor(), now=NOW) is Denial.WRONG


async def test_a_right_token_is_answered_while_a_hundred_wrong_ones_wait(store: Outbox) -> None:
    may_go_on = asyncio.Event()

    async def sleep(_: float) -> None:
        await may_go_on.wait()

    access = access_of(store, *USERS, sleep=sleep)

    async def ask(number: int) -> object:
        if number % 2:
            return await access.admit(visitor(bearer="wrong"), now=NOW)
        return await access.login("wrong", visitor(), now=NOW)

    waiting = [asyncio.create_task(ask(number)) for number in range(MAX_DELAYED)]
    await asyncio.sleep(0)
    assert [await ask(0), await ask(1)] == [Denial.TOO_MANY] * 2
    assert await access.admit(visitor(bearer=OPERATOR), now=NOW) == ADA
    assert isinstance(await access.login(VIEWER, visitor(), now=NOW), LoggedIn)
    assert not any(each.done() for each in waiting)
    may_go_on.set()
    assert set(await asyncio.gather(*waiting)) == {Denial.WRONG}


class TestAudit:
    async def test_logins_their_failures_and_log_outs_are_written_down(self, store: Outbox) -> None:
        access = access_of(store, *USERS)
        await access.login("wrong", visitor(), now=NOW)
        await access.admit(visitor(bearer="wrong"), now=NOW)
        login = await access.login(VIEWER, visitor(), now=NOW)
        assert isinstance(login, LoggedIn)
        await access.logout(BOB, visitor())  # has no session
        returns = visitor(session=login.session)
        person = await access.admit(returns, now=NOW)
        assert isinstance(person, Person)
        await access.logout(person, returns)
        forged = NamedByProxy(name="ada", role=UserRole.OPERATOR, is_believed=False)
        await access.admit(visitor(named=forged), now=NOW)
        assert await noted(store) == [
            ("somebody", "login failed", "192.0.2.7"),
            ("somebody", "login failed", "192.0.2.7"),
            ("bob", "logged in", "192.0.2.7"),
            ("bob", "logged out", "192.0.2.7"),
            ("somebody", "login failed", "192.0.2.7"),
        ]

    async def test_no_secret_is_written_down(self, store: Outbox) -> None:
        access = access_of(store, *USERS)
        for given in ("nearly-the-token", OPERATOR):
            await access.login(given, visitor(), now=NOW)
        assert not [
            each for each in (await store.audit(limit=9)).entries if "token-of" in repr(each) or "nearly" in repr(each)
        ]

    async def test_strangers_cannot_fill_the_log(self, store: Outbox) -> None:
        access = access_of(store, *USERS)
        for number in range(200):
            await access.admit(visitor(bearer="wrong", client=f"192.0.2.{number}"), now=NOW)
        assert len(await noted(store)) == MAX_NOTED


@pytest.mark.parametrize(
    ("headers", "client", "bearer", "named"),
    [
        ({}, "10.0.0.9", None, None),
        ({"x-forwarded-for": "203.0.113.5"}, "203.0.113.5", None, None),
        ({"x-forwarded-for": "203.0.113.5, 198.51.100.1"}, "198.51.100.1", None, None),
        ({"authorization": "Bearer abc "}, "10.0.0.9", "abc", None),
        ({"authorization": "bearer abc"}, "10.0.0.9", "abc", None),
        ({"authorization": "Basic abc"}, "10.0.0.9", None, None),
        ({"x-webauth-user": "eve"}, "10.0.0.9", None, SSO),
    ],
    ids=str,
)
async def test_what_is_known_of_a_visitor(
    headers: dict[str, str], client: str, bearer: str | None, named: NamedByProxy | None, store: Outbox
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": "GET", "headers": raw, "client": ("10.0.0.9", 1)})
    access = access_of(store, trusted=("10.0.0.0/8",), console_user_header="X-Webauth-User")
    found = access.visitor(request)
    assert (found.client, found.bearer, found.named, found.is_near) == (client, bearer, named, False)


@pytest.mark.parametrize(("header", "is_near"), [(None, True), ("Remote-User", False)])
async def test_an_authenticating_proxy_of_this_machine_that_names_nobody_speaks_for_nobody(
    header: str | None, *, is_near: bool, store: Outbox
) -> None:
    raw = [(b"host", b"localhost")]
    request = Request({"type": "http", "method": "GET", "headers": raw, "client": ("127.0.0.1", 1)})
    access = access_of(store, trusted=("127.0.0.1",), console_user_header=header)
    assert access.visitor(request).is_near is is_near


@every_row(
    ("rule", "headers", "expected"),
    [
        ("our own page, by fetch metadata", {"sec-fetch-site": "same-origin"}, True),
        ("a page of another site", {"sec-fetch-site": "cross-site", "origin": "http://pins.example"}, False),
        ("a page of a sibling domain", {"sec-fetch-site": "same-site"}, False),
        ("an address typed by hand sends no form", {"sec-fetch-site": "none"}, False),
        ("our own page, by its origin", {"origin": "http://pins.example"}, True),
        ("another page, by its origin", {"origin": "http://evil.example"}, False),
        ("a page that hides its origin", {"origin": "null"}, False),
        ("a program that names none", {}, False),
        ("another port is another origin", {"origin": "http://pins.example:81"}, False),
        (
            "fetch metadata decide where a proxy changed Host",
            {"sec-fetch-site": "same-origin", "origin": "http://x"},
            True,
        ),
    ],
)
def test_forms_come_from_our_own_pages(*, rule: str, headers: dict[str, str], expected: bool) -> None:
    assert sent_from_console({"host": "pins.example", **headers}) is expected
