"""A change of the catalog names what it does to flags of privacy and to hashed fields."""

from app.catalog import Catalog, compile_catalog
from app.catalog.publishing import privacy_changes
from tests.process import ROOT
from tests.rows import every_row

MAPPINGS = {
    "report_conversion_event.yaml": (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
}


def catalog(mapping: str, *, more: str = "") -> Catalog:
    text = f'name: Own\nsubscribe: event = "Own"\naction: report_conversion_event\nmapping: {{{mapping}}}\n{more}'
    return compile_catalog({"own.yaml": text}, MAPPINGS)


PLAIN = catalog("event_name: lead")


@every_row(
    ("mapping", "fields"),
    [
        ("event_name: lead, opt_out: false", ["opt_out"]),
        ("event_name: lead, gpc: false", ["gpc"]),
        ("event_name: lead, advertiser_tracking_enabled: true", ["advertiser_tracking_enabled"]),
        ("event_name: lead, custom_data: {opt_out_type: LDP}", ["custom_data/opt_out_type"]),
        ('event_name: lead, user_data: {email: {"@path": $.x}}', ["memory", "user_data/email"]),
        ("event_name: checkout, custom_data: {value: '5'}", []),
    ],
)
def test_a_change_of_a_preset_is_named_by_its_field(mapping: str, fields: list[str]) -> None:
    assert [change.field for change in privacy_changes(PLAIN, catalog(mapping))] == fields


def test_it_says_what_was_and_what_becomes() -> None:
    (change,) = privacy_changes(catalog("event_name: lead, opt_out: false"), PLAIN)
    assert change.preset == "Own"
    assert change.was.startswith('{"@all":[false,{"@path":"$.properties.opt_out"},')
    assert "opt_out" in change.becomes


def test_a_new_preset_is_compared_with_the_defaults() -> None:
    nothing = compile_catalog({}, MAPPINGS)
    assert privacy_changes(nothing, PLAIN) == []
    assert [each.field for each in privacy_changes(nothing, catalog("event_name: lead, opt_out: false"))] == ["opt_out"]


def test_that_memory_completes_a_preset_again_is_named() -> None:
    (change,) = privacy_changes(catalog("event_name: lead", more="remember: false"), PLAIN)
    assert (change.field, change.was) == ("memory", "nothing")
