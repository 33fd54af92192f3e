"""The table of docs/settings.md is made of the code."""

from tests.config.settings_table import PAGE, setting_rows, with_table


def test_the_page_has_the_table_that_the_code_makes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "`make reference` writes it anew"


def test_a_row_says_what_may_be_given_in_words() -> None:
    types = {name.strip("`"): kind for name, kind, _, _ in setting_rows()}
    assert {
        name: types[name] for name in ("PORT", "RETRY_BASE_S", "GPC", "WRITE_KEYS", "CONSENT_REQUIRED", "HOST")
    } == {
        "PORT": "whole number, 0 or more, 65,535 at most",
        "RETRY_BASE_S": "number, more than 0, 86,400 at most",
        "GPC": "`opt_out` or `ldp` or `ignore`",
        "WRITE_KEYS": "list of secrets",
        "CONSENT_REQUIRED": "`true` or `false`",
        "HOST": "text",
    }
    assert types["WEBHOOK_SHARED_SECRETS"] == "list of secrets, 2 at most"
    assert types["PUBLIC_HOSTS"] == "list"
