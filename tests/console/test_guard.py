"""Who sees a page, by HTTP: what stands before every page of the console."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from jinja2 import DictLoader, Environment

from app.access.sessions import MAX_DELAYED
from app.console.pages import ROOM, CompiledTemplates
from tests.console.world import LEAD, PASSWORD, World, new_delivery, open_world
from tests.rows import every_row

PAGES = (
    "/console",
    "/console?part=live",
    "/console/tester",
    "/console/deliveries",
    "/console/delivery?id=1",
    "/console/message?id=m-1",
    "/console/deliveries/redrive",
    "/console/people",
    "/console/mappings",
    "/console/activity",
    "/console/revenue/compare",
)
#: Ada operates, Bob looks.
VIEWERS = ("ada:operator:token-of-ada", "bob:token-of-bob")
FORMS = (
    "/console/tester",
    "/console/people/forget",
    "/console/deliveries/redrive",
    "/console/mappings/switch",
    "/console/mappings/reload",
    "/console/tail",
    "/console/revenue/compare",
    "/console/logout",
)


@pytest.mark.parametrize(
    ("cookie", "begins"),
    [("dark", '<html lang="en" data-theme="dark">'), ("light", '<html lang="en" data-theme="light">')]
    + [(other, '<html lang="en">') for other in ("system", "neon", '"><b>')],
)
async def test_a_page_has_the_theme_of_its_cookie_from_the_first_paint_on(
    cookie: str, begins: str, world: World
) -> None:
    answer = await world.browser.get("/console", headers={"Cookie": f"pinrelay-theme={cookie}"})
    assert begins in answer.text
    assert "stylesheet" in answer.text.partition("<script")[0]
    assert all("defer" in script for script in re.findall(r"<script[^>]*>", answer.text))


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_needs_the_password_that_is_set(page: str, locked: World) -> None:
    answer = await locked.browser.get(page)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/login?next=%2Fconsole")


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_needs_the_password_that_is_set(form: str, locked: World) -> None:
    before = locked.running.catalog
    locked.write("lead", LEAD.replace("name: Lead", "name: Newsletter"))  # a reload would take it up
    answer = await locked.browser.post(form, data={"on": "no"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/login?next=%2Fconsole"
    assert not await locked.outbox.list_shared("switch/")
    assert locked.running.catalog is before


@pytest.mark.parametrize("page", PAGES)
async def test_without_a_password_other_machines_are_told_what_to_set(page: str, world: World) -> None:
    async with world.from_elsewhere("192.0.2.7") as browser:
        answer = await browser.get(page)
    assert answer.status_code == 403
    assert "CONSOLE_PASSWORD" in answer.text


async def test_a_proxy_on_this_machine_does_not_open_the_console(world: World) -> None:
    answer = await world.browser.get("/console", headers={"X-Forwarded-For": "192.0.2.7"})
    assert answer.status_code == 403


@pytest.mark.parametrize(("peer", "status"), [("172.17.0.1", 200), ("172.17.0.2", 403), ("192.168.1.20", 403)])
async def test_only_the_gateway_of_the_container_counts_as_this_machine(peer: str, status: int, tmp_path: Path) -> None:
    gateways = frozenset({"172.17.0.1"})
    async with open_world(tmp_path, gateways=gateways) as world, world.from_elsewhere(peer) as browser:
        assert (await browser.get("/console")).status_code == status


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_no_form_of_another_site_is_taken(form: str, headers: dict[str, str], world: World) -> None:
    answer = await world.browser.post(form, data={"on": "no"}, headers=headers)
    assert answer.status_code == 403
    assert "did not come from a page of the console" in answer.text
    assert not await world.outbox.list_shared("switch/")


async def test_a_form_that_is_too_long_is_not_read(world: World) -> None:
    answer = await world.browser.post("/console/tester", data={"event": "x" * 1_000_001})
    assert answer.status_code == 413
    assert not world.pinterest.calls


async def test_a_form_of_unknown_length_is_not_read(world: World) -> None:
    async def parts() -> object:
        yield b"event=1"

    answer = await world.browser.post("/console/tester", content=parts())  # type: ignore[arg-type] # any stream will do
    assert answer.status_code == 413


@pytest.mark.parametrize("page", [*PAGES, "/console/login", "/console/static/console.css"])
async def test_every_answer_forbids_what_it_does_not_need(page: str, world: World) -> None:
    headers = (await world.browser.get(page)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


@every_row("template", sorted((ROOM / "templates").iterdir()), ids=lambda path: path.name)
def test_no_template_needs_what_the_policy_forbids(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    for forbidden in ("style=", "<style", "onclick", "javascript:", "http://", "https://", "|safe", "| safe"):
        assert forbidden not in text


async def test_pages_are_kept_in_no_cache_and_files_in_every(world: World) -> None:
    page = await world.browser.get("/console")
    assert page.headers["cache-control"] == "no-store"
    file = await world.browser.get("/console/static/console.js")
    assert "immutable" in file.headers["cache-control"]
    assert file.headers["content-type"].startswith("text/javascript")


async def test_there_are_no_other_files(world: World) -> None:
    assert (await world.browser.get("/console/static/nothing.css")).status_code == 404


@pytest.mark.parametrize("page", ["/console", "/console/deliveries", "/console/mappings"])
async def test_where_the_outbox_does_not_answer_the_page_says_so(page: str, world: World) -> None:
    await world.outbox.close()
    answer = await world.browser.get(page)
    assert answer.status_code == 503
    assert "The store does not answer" in answer.text


async def test_the_console_is_no_part_of_the_described_api(world: World) -> None:
    assert world.app.openapi()["paths"] == {}


class TestRoles:
    @pytest.mark.slow
    async def test_a_viewer_sees_every_page_and_no_button_that_changes_something(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, users=VIEWERS) as world:
            await world.browser.post("/console/login", data={"password": "token-of-bob"})
            for page in PAGES:
                answer = await world.browser.get(page)
                assert answer.status_code in {200, 404}
                for form in ("/console/deliveries/redrive", "/mappings/switch", "/mappings/reload"):
                    assert f'action="{form}' not in answer.text
                assert 'name="send"' not in answer.text
                assert page.endswith("live") or "bob" in answer.text

    @pytest.mark.parametrize("form", FORMS[:-1])
    async def test_a_viewer_changes_nothing(self, form: str, tmp_path: Path) -> None:
        async with open_world(tmp_path, users=VIEWERS) as world:
            await world.browser.post("/console/login", data={"password": "token-of-bob"})
            answer = await world.browser.post(form, data={"on": "no", "example": "Checkout", "send": "Checkout"})
            assert answer.status_code == 403
            assert "You are logged in as a viewer" in answer.text
            assert not world.pinterest.calls
            assert not await world.outbox.list_shared("switch/")
            assert len((await world.outbox.audit(limit=9)).entries) == 1, "the log-in alone"

    async def test_a_viewer_may_try_events(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, users=VIEWERS) as world:
            await world.browser.post("/console/login", data={"password": "token-of-bob"})
            assert (await world.browser.post("/console/tester", data={"example": "Checkout"})).status_code == 200

    @pytest.mark.slow
    async def test_a_bearer_token_opens_pages_too(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, users=VIEWERS) as world:
            for token, status in (("token-of-bob", 200), ("wrong", 401)):
                answer = await world.browser.get("/console", headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == status


class TestProxy:
    """Single sign-on: an authenticating proxy names the user in a header."""

    @pytest.mark.parametrize(
        ("peer", "headers", "status"),
        [
            ("10.0.0.1", {"X-Webauth-User": "ada"}, 200),
            ("192.0.2.7", {"X-Webauth-User": "ada"}, 403),
            ("192.0.2.7", {"X-Webauth-User": "ada", "X-Forwarded-For": "10.0.0.1"}, 403),
            ("127.0.0.1", {"X-Webauth-User": "ada"}, 403),
            ("10.0.0.1", {}, 303),
        ],
    )
    async def test_it_is_believed_only_where_the_peer_is_trusted(
        self, peer: str, headers: dict[str, str], status: int, tmp_path: Path
    ) -> None:
        sso: dict[str, Any] = {"trusted": ("10.0.0.0/8",), "user_header": "X-Webauth-User"}
        async with (
            open_world(tmp_path, users=VIEWERS, **sso) as world,
            world.from_elsewhere(peer, **headers) as browser,
        ):
            answer = await browser.get("/console")
        assert answer.status_code == status
        assert ("ada" in answer.text) is (status == 200)
        assert "Log out" not in answer.text
        if status == 403:
            assert "Who you are is not believed" in answer.text

    @pytest.mark.parametrize(("role", "status"), [("operator", 303), ("viewer", 403), ("", 403)])
    async def test_the_role_comes_from_the_proxy_too(self, role: str, status: int, tmp_path: Path) -> None:
        both = {"user_header": "X-Webauth-User", "role_header": "X-Webauth-Role"}
        sso: dict[str, Any] = {"trusted": ("10.0.0.1",), **both}
        said = {"X-Webauth-User": "ada", "X-Webauth-Role": role, "Origin": "http://localhost:8080"}
        async with open_world(tmp_path, **sso) as world, world.from_elsewhere("10.0.0.1", **said) as browser:
            assert (await browser.post("/console/mappings/switch", data={"on": "no"})).status_code == status
            entries = (await world.outbox.audit(limit=9)).entries
        assert [(entry.who, entry.place) for entry in entries] == [("ada", "10.0.0.1")] * (status == 303)


class TestLogin:
    async def test_the_password_opens_the_page_that_was_wanted(self, locked: World) -> None:
        asked = await locked.browser.get("/console/deliveries?state=dead&reason=a+b")
        form = await locked.browser.get(asked.headers["location"])
        assert 'value="/console/deliveries?state=dead&amp;reason=a+b"' in form.text
        wanted = {"password": PASSWORD, "next": "/console/deliveries?state=dead&reason=a+b"}
        entered = await locked.browser.post("/console/login", data=wanted)
        assert entered.headers["location"] == wanted["next"]
        assert (await locked.browser.get("/console")).status_code == 200

    @pytest.mark.parametrize(
        "wanted",
        [
            "",
            "//evil.example/console/",
            "https://evil.example/console/x",
            "/elsewhere",
            "/console/\\evil.example",
            "/console/..//evil.example"[:9] + "evil",
            "http://[::1/console/",
            "javascript:alert(1)",
        ],
    )
    async def test_it_leads_nowhere_else(self, wanted: str, locked: World) -> None:
        entered = await locked.browser.post("/console/login", data={"password": PASSWORD, "next": wanted})
        assert entered.headers["location"].startswith("/console")
        assert "\\" not in entered.headers["location"]

    @pytest.mark.parametrize(
        ("headers", "secure"),
        [({}, False), ({"X-Forwarded-Proto": "https"}, True)],
        ids=["plain", "behind a proxy with TLS"],
    )
    async def test_the_cookie_is_for_this_site_only(
        self, *, headers: dict[str, str], secure: bool, locked: World
    ) -> None:
        entered = await locked.browser.post("/console/login", data={"password": PASSWORD}, headers=headers)
        cookie = entered.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/;", "Max-Age=43200"))
        assert ("Secure" in cookie) is secure

    async def test_a_wrong_password_is_told_and_not_repeated(self, locked: World) -> None:
        answer = await locked.browser.post("/console/login", data={"password": "tr0ub4dor", "next": "/console/tester"})
        assert answer.status_code == 401
        assert "That is not the password." in answer.text
        assert "tr0ub4dor" not in answer.text
        assert 'value="/console/tester"' in answer.text

    async def test_of_too_many_wrong_ones_at_once_some_are_told_to_wait(self, locked: World) -> None:
        tries = [locked.browser.post("/console/login", data={"password": "wrong"}) for _ in range(MAX_DELAYED + 1)]
        answers = await asyncio.gather(*tries)
        assert Counter(answer.status_code for answer in answers) == {401: MAX_DELAYED, 429: 1}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert "Try again in a second" in refused.text

    async def test_logging_out_ends_the_session_for_whoever_kept_the_cookie(self, locked: World) -> None:
        await locked.browser.post("/console/login", data={"password": PASSWORD})
        kept = dict(locked.browser.cookies)
        await locked.browser.post("/console/logout")
        locked.browser.cookies.update(kept)
        assert (await locked.browser.get("/console")).status_code == 303

    async def test_logging_out_takes_the_cookie_back(self, locked: World) -> None:
        await locked.browser.post("/console/login", data={"password": PASSWORD})
        assert "Log out" in (await locked.browser.get("/console")).text
        answer = await locked.browser.post("/console/logout")
        assert answer.headers["location"] == "/console/login"
        assert (await locked.browser.get("/console")).status_code == 303

    async def test_where_no_password_is_set_there_is_nothing_to_log_in_to(self, world: World) -> None:
        answer = await world.browser.get("/console/login")
        assert answer.headers["location"] == "/console"
        assert "Log out" not in (await world.browser.get("/console")).text

    async def test_behind_a_prefix_all_addresses_carry_it(self, locked: World) -> None:
        transport = httpx.ASGITransport(app=locked.app, root_path="/pins")
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
            answer = await browser.get("/pins/console")
            assert answer.headers["location"].startswith("/pins/console/login?next=%2Fpins%2Fconsole")
            assert 'href="/pins/console/static/console.css' in (await browser.get("/pins/console/login")).text


@pytest.mark.parametrize(
    "path",
    [
        "versions?file=presets/checkout.yaml&skip=",
        "quarantine?left=",
        "deliveries?redriven=",
        "people?messages=1&ids=",
    ],
)
async def test_a_number_of_an_address_may_be_of_any_length(path: str, world: World) -> None:
    answer = await world.browser.get(f"/console/{path}{'9' * 5_000}")
    assert answer.status_code == httpx.codes.OK


async def test_a_page_is_packed_for_browsers_that_take_it_packed_and_reads_alike(world: World) -> None:
    plain = await world.browser.get("/console", headers={"Accept-Encoding": "identity"})
    packed = await world.browser.get("/console", headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.text == plain.text
    assert packed.headers["content-security-policy"] == plain.headers["content-security-policy"]


async def test_a_part_that_has_not_changed_is_not_sent_again(world: World) -> None:
    first = await world.browser.get("/console?part=live")
    known = {"If-None-Match": first.headers["etag"]}
    again = await world.browser.get("/console?part=live", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    await world.enqueue(new_delivery())
    changed = await world.browser.get("/console?part=live", headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert "etag" not in (await world.browser.get("/console", headers=known)).headers


def test_a_template_is_compiled_once_where_the_folder_may_be_written_and_is_shown_where_not(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for folder, kept in (("kept", 1), ("gone", 0)):
        for _ in range(2):
            cache = CompiledTemplates(str(tmp_path / folder))
            page = Environment(loader=DictLoader({"page": "{{ 1 + 1 }}"}), bytecode_cache=cache, autoescape=True)
            assert page.get_template("page").render() == "2"
        assert len(list((tmp_path / folder).glob("*"))) == kept
