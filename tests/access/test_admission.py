import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.requests import Request

from app.access.admission import Access, Admission, LoggedIn, TooManyTries, Visitor, WrongPassword, sent_from_console
from app.access.login_limits import MAX_WRONG, WINDOW_S
from app.access.sessions import SESSION_S, Sessions
from app.values.proxies import read_networks
from tests.console.world import NOW, PASSWORD


def visitor(**different: object) -> Visitor:
    facts = {"client": "127.0.0.1", "is_near": True, "session": "", "bearer": None}
    return Visitor(**(facts | different))  # type: ignore[arg-type] # the builder is typed by its use


@pytest.mark.parametrize(("is_near", "expected"), [(True, "admitted"), (False, "refused")])
def test_without_a_password_whoever_sits_at_this_machine_is_admitted(*, is_near: bool, expected: str) -> None:
    access = Access(password=None, published_on_loopback=False)
    assert access.judge(visitor(is_near=is_near), now=NOW) == expected


@pytest.fixture(scope="module")
def session() -> str:
    return Sessions(SecretStr(PASSWORD)).issue(now=NOW)


@pytest.mark.parametrize(
    ("rule", "change", "at", "expected"),
    [
        ("a fresh session is admitted", str, NOW, "admitted"),
        ("until just before it ends", str, NOW + SESSION_S - 1, "admitted"),
        ("and not after", str, NOW + SESSION_S, "login_needed"),
        ("no session", lambda _: "", NOW, "login_needed"),
        ("a longer life than was signed", lambda cookie: "9" + cookie, NOW, "login_needed"),
        ("a signature cut off", lambda cookie: cookie[:-1], NOW, "login_needed"),
        ("letters of any script", lambda _: "é.ü.ß", NOW, "login_needed"),
    ],
)
def test_with_a_password(rule: str, change: object, at: float, expected: str, session: str) -> None:
    access = Access(password=SecretStr(PASSWORD), published_on_loopback=True)
    assert callable(change)
    assert access.judge(visitor(session=change(session)), now=at) == expected


def test_a_password_lets_other_machines_in(session: str) -> None:
    access = Access(password=SecretStr(PASSWORD), published_on_loopback=False)
    far = visitor(client="192.0.2.7", is_near=False, session=session)
    assert access.judge(far, now=NOW) is Admission.ADMITTED


def test_a_new_password_ends_all_sessions(session: str) -> None:
    assert not Sessions(SecretStr("another")).valid(session, now=NOW)


@given(st.text())
def test_no_text_is_taken_for_a_session(text: str) -> None:
    assert not SESSIONS.valid(text, now=NOW)


SESSIONS = Sessions(SecretStr(PASSWORD))


class TestLogin:
    def access(self) -> Access:
        return Access(password=SecretStr(PASSWORD), published_on_loopback=False)

    def test_the_right_password_opens_a_session(self) -> None:
        access = self.access()
        login = access.login(PASSWORD, client="192.0.2.7", now=NOW)
        assert isinstance(login, LoggedIn)
        assert access.judge(visitor(session=login.session), now=NOW) is Admission.ADMITTED

    @pytest.mark.parametrize(
        "given", ["", "correct", PASSWORD + " ", PASSWORD.upper(), "\ud800".encode("utf-8", "replace").decode()]
    )
    def test_anything_else_does_not(self, given: str) -> None:
        assert self.access().login(given, client="192.0.2.7", now=NOW) == WrongPassword()

    def test_where_no_password_is_set_none_is_right(self) -> None:
        access = Access(password=None, published_on_loopback=False)
        assert access.login("", client="127.0.0.1", now=NOW) == WrongPassword()

    def test_a_sixth_try_within_a_minute_is_not_compared(self) -> None:
        access = self.access()
        for _ in range(5):
            access.login("wrong", client="192.0.2.7", now=NOW)
        assert access.login(PASSWORD, client="192.0.2.7", now=NOW + 20) == TooManyTries(retry_after_s=41)
        assert isinstance(access.login(PASSWORD, client="192.0.2.8", now=NOW + 20), LoggedIn), "others are not kept out"
        assert isinstance(access.login(PASSWORD, client="192.0.2.7", now=NOW + WINDOW_S), LoggedIn), "a minute later"


class TestBearer:
    """A token of `/api` is taken whatever strangers tried, from the same address too."""

    def access(self) -> Access:
        return Access(password=SecretStr(PASSWORD), published_on_loopback=False)

    def test_a_right_one_is_admitted_after_any_number_of_wrong_ones(self) -> None:
        access = self.access()
        for _ in range(100):
            access.bearer(visitor(bearer="wrong"), now=NOW)
        assert access.bearer(visitor(bearer=PASSWORD), now=NOW) is Admission.ADMITTED

    def test_wrong_ones_are_refused_and_soon_told_to_wait(self) -> None:
        access = self.access()
        told = [access.bearer(visitor(bearer="wrong"), now=NOW) for _ in range(MAX_WRONG + 1)]
        assert told == [Admission.REFUSED] * MAX_WRONG + [TooManyTries(retry_after_s=WINDOW_S + 1)]

    def test_none_is_asked_for(self) -> None:
        assert self.access().bearer(visitor(), now=NOW) is Admission.LOGIN_NEEDED

    def test_where_no_password_is_set_none_is_right(self) -> None:
        access = Access(password=None, published_on_loopback=False)
        assert access.bearer(visitor(bearer=""), now=NOW) is Admission.REFUSED


@pytest.mark.parametrize(
    ("headers", "client", "bearer"),
    [
        ({}, "10.0.0.9", None),
        ({"x-forwarded-for": "203.0.113.5"}, "203.0.113.5", None),
        ({"x-forwarded-for": "203.0.113.5, 198.51.100.1"}, "198.51.100.1", None),
        ({"authorization": "Bearer abc "}, "10.0.0.9", "abc"),
        ({"authorization": "bearer abc"}, "10.0.0.9", "abc"),
        ({"authorization": "Basic abc"}, "10.0.0.9", None),
    ],
    ids=str,
)
def test_a_visitor_is_told_by_the_address_behind_the_proxies_that_are_trusted(
    headers: dict[str, str], client: str, bearer: str | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": "GET", "headers": raw, "client": ("10.0.0.9", 1)})
    access = Access(password=None, published_on_loopback=False, trusted=read_networks(["10.0.0.0/8"]))
    found = access.visitor(request)
    assert (found.client, found.bearer, found.is_near) == (client, bearer, False)


@pytest.mark.parametrize(
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
