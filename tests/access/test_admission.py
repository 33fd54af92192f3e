import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.access.admission import Access, Admission, LoggedIn, TooManyTries, Visitor, WrongPassword, sent_from_console
from app.access.sessions import SESSION_S, WINDOW_S, Sessions
from tests.console.world import NOW, PASSWORD


def visitor(**different: object) -> Visitor:
    facts = {"peer": "127.0.0.1", "host": "localhost:8080", "forwarded": False, "session": ""}
    return Visitor(**(facts | different))  # type: ignore[arg-type] # the builder is typed by its use


@pytest.mark.parametrize(
    ("rule", "different", "published", "expected"),
    [
        ("this machine is admitted", {}, False, "admitted"),
        ("any loopback address is this machine", {"peer": "127.8.9.1"}, False, "admitted"),
        ("so is that of IPv6", {"peer": "::1", "host": "[::1]:8080"}, False, "admitted"),
        ("so is IPv4 written as IPv6", {"peer": "::ffff:127.0.0.1"}, False, "admitted"),
        ("localhost is told from the port", {"host": "localhost"}, False, "admitted"),
        ("another machine is refused", {"peer": "192.0.2.7"}, False, "refused"),
        ("so is another one by IPv4 as IPv6", {"peer": "::ffff:192.0.2.7"}, False, "refused"),
        ("so is a peer without an address", {"peer": None}, False, "refused"),
        ("so is a peer that is no address", {"peer": "testclient"}, False, "refused"),
        ("a foreign name that resolves to loopback is refused", {"host": "evil.example:8080"}, False, "refused"),
        ("so is a name that begins like ours", {"host": "localhost.evil.example"}, False, "refused"),
        ("so is a missing name", {"host": ""}, False, "refused"),
        ("so is one that cannot be read", {"host": "[::1"}, False, "refused"),
        ("a proxy on this machine speaks for others", {"forwarded": True}, False, "refused"),
        ("a port published on loopback is reached through a gateway", {"peer": "172.17.0.1"}, True, "admitted"),
        ("by a loopback name all the same", {"peer": "172.17.0.1", "host": "10.0.0.5:8080"}, True, "refused"),
        ("and by no proxy", {"peer": "172.17.0.1", "forwarded": True}, True, "refused"),
    ],
)
def test_without_a_password(*, rule: str, different: dict[str, object], published: bool, expected: str) -> None:
    access = Access(password=None, published_on_loopback=published)
    assert access.judge(visitor(**different), now=NOW) == expected


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
    far = visitor(peer="192.0.2.7", host="pins.example", forwarded=True, session=session)
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
        login = access.login(PASSWORD, peer="192.0.2.7", now=NOW)
        assert isinstance(login, LoggedIn)
        assert access.judge(visitor(session=login.session), now=NOW) is Admission.ADMITTED

    @pytest.mark.parametrize(
        "given", ["", "correct", PASSWORD + " ", PASSWORD.upper(), "\ud800".encode("utf-8", "replace").decode()]
    )
    def test_anything_else_does_not(self, given: str) -> None:
        assert self.access().login(given, peer="192.0.2.7", now=NOW) == WrongPassword()

    def test_where_no_password_is_set_none_is_right(self) -> None:
        access = Access(password=None, published_on_loopback=False)
        assert access.login("", peer="127.0.0.1", now=NOW) == WrongPassword()

    def test_a_sixth_try_within_a_minute_is_not_compared(self) -> None:
        access = self.access()
        for _ in range(5):
            access.login("wrong", peer="192.0.2.7", now=NOW)
        assert access.login(PASSWORD, peer="192.0.2.7", now=NOW + 20) == TooManyTries(retry_after_s=41)
        assert isinstance(access.login(PASSWORD, peer="192.0.2.8", now=NOW + 20), LoggedIn), "others are not kept out"
        assert isinstance(access.login(PASSWORD, peer="192.0.2.7", now=NOW + WINDOW_S), LoggedIn), "a minute later"

    def test_many_machines_together_are_slowed_down_too(self) -> None:
        access = self.access()
        for number in range(50):
            access.login("wrong", peer=f"192.0.2.{number}", now=NOW)
        assert access.login(PASSWORD, peer="192.0.2.99", now=NOW + 59.5) == TooManyTries(retry_after_s=1)


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
