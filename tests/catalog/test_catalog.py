"""Presets and mappings become a Catalog, or one error that lists every fault of every file, each with its remedy."""

from pathlib import Path
from typing import Any

import pytest

from app.catalog import MAX_ENABLED_PRESETS, Catalog, compile_catalog, load_catalog
from app.catalog.yaml_files import read_texts
from app.errors import CatalogError
from tests.rows import every_row

ROOT = Path(__file__).parents[2]
ACTION_FILE = "mappings/report_conversion_event.yaml"
ACTION = """
name: Report
description: Reports.
fields:
  event_name: {label: N, description: N., type: string, required: true, choices: [checkout, lead]}
  action_source: {label: S, description: S., type: string, choices: [web, offline], default: web}
  event_id: {label: I, description: I., type: string, required: true, default: {"@path": $.messageId}}
  user_data:
    label: U
    description: U.
    type: object
    properties:
      email: {label: E, description: E., type: string, default: {"@path": $.properties.email}}
      phone: {label: P, description: P., type: string, default: {"@path": $.properties.phone}}
  contents:
    label: C
    description: C.
    type: object
    multiple: true
    default: {"@arrayPath": [$.properties.products, {id: {"@path": $.id}}]}
    properties:
      id: {label: I, description: I., type: string}
"""
#: What `ACTION` may have besides.
ORDERS = """
  custom_data:
    label: C
    description: C.
    type: object
    properties: {order_id: {label: O, description: O., type: string}}
"""
BLOCKS = "  person_blocks: {label: B, description: B., type: object, properties: {}}\n"

EMAIL, PHONE = {"@path": "$.properties.email"}, {"@path": "$.properties.phone"}


def preset(mapping: str = "{event_name: checkout}", *, name: str = "A", more: str = "") -> str:
    """Write a valid preset file; say only what differs."""
    return f'name: {name}\nsubscribe: type = "page"\naction: report_conversion_event\nmapping: {mapping}\n{more}'


def catalog(*presets: str, action: str = ACTION, **options: Any) -> Catalog:
    texts = {f"presets/{number}.yaml": text for number, text in enumerate(presets)}
    return compile_catalog(texts, {ACTION_FILE: action}, **options)


def faults(*presets: str, action: str = ACTION, **options: Any) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        catalog(*presets, action=action, **options)
    return [str(fault) for fault in caught.value.faults]


@every_row(
    ("text", "fault"),
    [
        ("a: [", "presets/0.yaml: not readable YAML: line 1, column 5"),
        ("a: &x 1", "presets/0.yaml: /name: is missing: Shown in receipts"),
        ("- 1", "presets/0.yaml: should be keys with their values, such as `name: Order`"),
        (preset(more="colour: red"), "presets/0.yaml: /colour: unknown key"),
        (preset(more="holdd: 5m"), "presets/0.yaml: /holdd: unknown key: did you mean 'hold'?"),
        (
            preset(more="enabled: 1"),
            "presets/0.yaml: /enabled: should be true or false, without quotes: false switches",
        ),
        (preset(more="enabled: yes"), "presets/0.yaml: /enabled: should be true or false, without quotes"),
        (preset(more="description: 5"), "presets/0.yaml: /description: should be a text: put it in quotes"),
        (preset().replace("report_c", "send_c"), "presets/0.yaml: /action: should be 'report_conversion_event'"),
        (preset().replace('"page"', "page"), "presets/0.yaml: /subscribe: column 8: text is quoted"),
        (
            preset('{event_name: {"@paht": $.e}}'),
            "presets/0.yaml: /mapping/event_name: has an unknown directive '@paht'",
        ),
        (
            preset('{event_name: lead, user_data: {email: {"@if": {exists: {"@path": $.a}, thn: 1}}}}'),
            "presets/0.yaml: /mapping/user_data/email/@if: has an unknown key 'thn'; did you mean 'then'?",
        ),
        (preset("{event_name: checkuot}"), "/mapping/event_name: 'checkuot' is not known: did you mean 'checkout'?"),
        (preset('{event_name: {"@literal": led}}'), "/mapping/event_name: 'led' is not known: did you mean 'lead'?"),
        (
            preset("{event_name: purchase}"),
            "/mapping/event_name: 'purchase' is not known: write one of add_payment_info, add_to_cart, ",
        ),
        (preset("{event_name: null}"), "/mapping/event_name: is required and has no default: give it here"),
        (preset("{}"), "presets/0.yaml: /mapping/event_name: is required and has no default: give it here"),
        (preset("{event_name: lead, action_source: wep}"), "/action_source: 'wep' is not known: did you mean 'web'?"),
        (
            preset("{event_name: lead, user_data: {emial: a}}"),
            "/mapping/user_data/emial: unknown field: did you mean 'email'?",
        ),
        (
            preset("{event_name: lead, emial: a}"),
            "/emial: unknown field: did you mean 'email' in 'user_data'?",
        ),
        (
            preset("{event_name: lead, contents: [{id: a}, {idd: b}]}"),
            "/mapping/contents/1/idd: unknown field: did you mean 'id'?",
        ),
        (
            preset('{event_name: lead, contents: {"@arrayPath": [$.properties.products, {id_: a}]}}'),
            "/mapping/contents/@arrayPath/1/id_: unknown field: did you mean 'id'?",
        ),
        (
            preset(more="hold: 1h"),
            "presets/0.yaml: /hold: must be a number of seconds or minutes, such as 90s or 30m: How long its",
        ),
        (
            preset(more="hold: 56m"),
            "presets/0.yaml: /hold: must be 55m at most: Pinterest expects web and app events within",
        ),
        (preset(more="withdrawn_by: type = 'x'"), "presets/0.yaml: /withdrawn_by: needs `hold`: without it an order"),
        (preset(more="hold: 9s\nwithdrawn_by: type ="), "presets/0.yaml: /withdrawn_by: column"),
        (preset(more="overlaps: {presets: [x], withheld: type =}"), "presets/0.yaml: /overlaps/withheld: column"),
        (
            preset("{event_name: lead}", more="hold: 9s\nwithdrawn_by: type = 'x'"),
            "presets/0.yaml: /withdrawn_by: only a checkout can be withdrawn, but `event_name` is 'lead': leave it out",
        ),
        (
            preset("{event_name: lead, event_id: first}"),
            "presets/0.yaml: /mapping/event_id: is the same for every event, so all but the first are duplicates",
        ),
        (
            preset("{event_name: checkout, custom_data: {order_id: SO-1}}"),
            "presets/0.yaml: /mapping/custom_data/order_id: is the same for every event, so all but the first are",
        ),
        (preset("{event_name: lead, zzzzzz: a}"), "presets/0.yaml: /mapping/zzzzzz: unknown field"),
    ],
    ids=str,
)
def test_a_fault_names_file_path_and_remedy(text: str, fault: str) -> None:
    assert any(fault in found for found in faults(text)), faults(text)


@every_row(
    ("blocks", "within"),
    [
        ("{members: {fone: [tel]}, places: [$.a]}", ""),
        ("{members: {}, beside: {fone: [tel]}, places: [$.a]}", ""),
        ("{members: {}, places: [{place: $.a, members: {fone: [tel]}}]}", ""),
        ("{members: {}, places: [], recipients: [$.b, {place: $.a, members: {fone: [tel]}}]}", ""),
        ("{members: {fone: [tel]}, places: [$.a]}", "/@if/then"),
    ],
)
def test_a_member_that_no_person_has_is_a_fault_wherever_blocks_name_it(blocks: str, within: str) -> None:
    given = f'{{"@blocks": {blocks}}}'
    chosen = f'{{"@if": {{exists: 1, then: {given}}}}}' if within else given
    found = faults(preset(f"{{event_name: lead, person_blocks: {chosen}}}"), action=ACTION + BLOCKS)
    told = f"/mapping/person_blocks{within}/@blocks: unknown member 'fone' of a person: did you mean 'phone'?"
    assert found == [f"presets/0.yaml: {told}"]


@every_row(
    ("email", "told"),
    [
        ("$.properties.mail", ': `$.properties.mail` is sent as it is written: write {"@path": "$.properties.mail"}'),
        ("\"$['mail']\"", ": `$['mail']` is sent as it is written"),
        ("context.traits.mail", ': `context.traits.mail` is sent as it is written: write {"@path": "context'),
        ("'{{traits.mail}}'", ': `{{traits.mail}}` is sent as it is written: write {"@template": "{{traits.mail}}"}'),
        ('{"@template": $.traits.mail}', "/@template: `$.traits.mail` has no braces: write {{traits.mail}}"),
        ('{"@coalesce": [{"@path": $.a}, $.b]}', "/@coalesce/1: `$.b` is sent as it is written"),
        ('{"@if": {exists: $.a, then: x}}', "/@if/exists: `$.a` is sent as it is written"),
        ('{"@arrayPath": [$.properties.people, {mail: $.mail}]}', "/@arrayPath/1/mail: `$.mail` is sent as it is"),
        ('{"@replace": {value: $.a, pattern: $.}}', "/@replace/value: `$.a` is sent as it is written"),
        ('{"@case": {operator: lower, value: traits.mail}}', "/@case/value: `traits.mail` is sent as it is written"),
        ('{"@literal": $.properties.mail}', None),
        ('{"@template": "mail of {{traits.mail}}"}', None),
        ('{"@liquid": "{{ traits.mail }}"}', None),
        ('{"@path": traits.mail}', None),
        ('{"@replace": {value: {"@path": $.a}, pattern: $., replacement: ""}}', None),
        ('{"@path": traits.mail, _metadata: {label: traits.mail}}', None),
        ('{"@queryParameter": {url: {"@path": $.a}, name: context.mail}}', None),
        ('{"@flatten": {value: {"@path": $.a}, separator: $.}}', None),
        ("$25", None),
        ("$.99 off", None),
        ("body.care", None),
        ("item.1", None),
        ("nobody@properties.example", None),
    ],
)
def test_a_path_that_is_read_as_a_text_is_a_fault_for_all_would_get_it(email: str, told: str | None) -> None:
    text = preset(f"{{event_name: lead, user_data: {{email: {email}}}}}")
    if told is None:
        assert len(catalog(text).presets) == 1
    else:
        (fault,) = faults(text)
        assert fault.startswith(f"presets/0.yaml: /mapping/user_data/email{told}")


def test_what_is_no_block_is_a_fault_and_none_at_all_is_not() -> None:
    given = '{event_name: lead, person_blocks: {"@path": $.properties}}'
    (told,) = faults(preset(given), action=ACTION + BLOCKS)
    assert told.startswith(
        "presets/0.yaml: /mapping/person_blocks: must be made by `@blocks`: names, addresses and phone"
    )
    for nothing in ("null", "[]"):
        given = f"{{event_name: lead, person_blocks: {nothing}}}"
        assert len(catalog(preset(given), action=ACTION + BLOCKS).presets) == 1


@pytest.mark.parametrize("nothing", ["null", "''", "[]", "n/a"])
def test_an_order_id_that_says_nothing_is_left_out_and_no_duplicate(nothing: str) -> None:
    given = f"{{event_name: checkout, custom_data: {{order_id: {nothing}}}}}"
    assert len(catalog(preset(given), action=ACTION + ORDERS).presets) == 1


def test_a_withdrawal_of_no_order_is_told_once() -> None:
    assert len(faults(preset("{event_name: lead}", more="hold: 9s\nwithdrawn_by: type = 'x'"))) == 1


def test_every_fault_of_every_file_is_listed_at_once() -> None:
    bad_trigger = preset(name="B").replace("type = ", "type == ")
    bad_mapping = preset('{event_name: checkuot, evnt_id: 1, event_id: {"@x": 1}}', name="C")

    found = faults("a: [", bad_trigger, bad_mapping)

    assert [fault.split(": ")[:2] for fault in found] == [
        ["presets/0.yaml", "not readable YAML"],
        ["presets/1.yaml", "/subscribe"],
        ["presets/2.yaml", "/mapping/evnt_id"],
        ["presets/2.yaml", "/mapping/event_name"],
        ["presets/2.yaml", "/mapping/event_id"],
    ]


@every_row(
    ("action", "fault"),
    [
        ("a: [", f"{ACTION_FILE}: not readable YAML: line 1, column 5"),
        (
            ACTION.replace("description: S., type: string", "description: S., type: text"),
            f"{ACTION_FILE}: /fields/action_source/type: should be",
        ),
        (
            ACTION.replace('{"@path": $.properties.phone}', '{"@pth": $.properties.phone}'),
            f"{ACTION_FILE}: /fields/user_data/properties/phone/default: has an unknown directive '@pth'",
        ),
        (
            ACTION.replace('{id: {"@path": $.id}}', '{id: {"@path": [1]}}'),
            f"{ACTION_FILE}: /fields/contents/default/@arrayPath/1/id/@path: should be a text",
        ),
        (
            ACTION + "      no: {label: I, description: I., type: object}\n",
            "an object must have `properties`, and nothing else may",
        ),
        (
            ACTION.replace("default: web", f"default: {['a'] * 5000}"),
            "more than 5000 values; split it",
        ),
    ],
    ids=["yaml", "type", "default", "default of an object", "object without properties", "all defaults together"],
)
def test_a_fault_of_the_action_is_told_once_and_not_by_every_preset(action: str, fault: str) -> None:
    found = faults(preset(name="A"), preset(name="B"), action=action)

    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("mappings", "fault"),
    [
        ({}, "MAPPINGS_DIR has no report_conversion_event.yaml: restore the shipped file"),
        ({"m/other.yaml": ACTION}, "m/other.yaml: unknown action: only report_conversion_event.yaml is read"),
    ],
    ids=["no action", "another action"],
)
def test_there_is_one_action(mappings: dict[str, str], fault: str) -> None:
    with pytest.raises(CatalogError) as caught:
        compile_catalog({"p.yaml": preset()}, mappings)

    assert fault in [str(found) for found in caught.value.faults]


def test_fifty_presets_may_be_enabled_and_the_fifty_first_is_an_error_that_says_so() -> None:
    fifty = [preset(name=f"P{number}") for number in range(MAX_ENABLED_PRESETS)]

    assert len(catalog(*fifty).enabled) == 50
    assert faults(*fifty, preset(name="One more")) == [
        "presets/50.yaml: /enabled: is enabled preset number 51 of at most 50: set `enabled: false` in one"
    ]


def test_a_preset_that_is_off_is_kept_but_takes_no_event_and_does_not_count() -> None:
    fifty = [preset(name=f"P{number}") for number in range(50)]

    found = catalog(*fifty, preset(name="Off", more="enabled: false"))

    assert [p.name for p in found.presets if not p.enabled] == ["Off"]
    assert len(found.enabled) == 50


def test_a_name_stands_once() -> None:
    assert faults(preset(name="A"), preset(name="B"), preset(name="A")) == [
        f"presets/{number}.yaml: /name: another preset is named 'A': rename one" for number in (0, 2)
    ]


def test_a_name_that_the_advertiser_defined_is_taken_where_the_setting_lists_it() -> None:
    own = preset("{event_name: spin_the_wheel}")

    (fault,) = faults(own)
    assert fault.startswith("presets/0.yaml: /mapping/event_name: 'spin_the_wheel' is not known: write one of ")
    assert fault.endswith(", watch_video, or name yours in CUSTOM_EVENT_NAMES")
    assert len(catalog(own, custom_event_names=["spin_the_wheel"]).enabled) == 1


def test_a_computed_name_is_left_to_each_event() -> None:
    (found,) = catalog(preset('{event_name: {"@path": $.event}}')).enabled

    assert found.mapping.resolve({"event": "whatever"})["event_name"] == "whatever"


@every_row(
    ("mapping", "field", "expected"),
    [
        ("{event_name: lead}", "user_data", {"email": EMAIL, "phone": PHONE}),
        ("{event_name: lead, user_data: {phone: '1'}}", "user_data", {"email": EMAIL, "phone": "1"}),
        ('{event_name: lead, user_data: {"@path": $.u}}', "user_data", {"@path": "$.u"}),
        ("{event_name: lead, user_data: {email: x}}", "user_data", {"email": "x", "phone": PHONE}),
        ("{event_name: lead, contents: {id: x}}", "contents", {"id": "x"}),
    ],
    ids=[
        "without a mapping of its own a preset has the defaults",
        "an object is laid over member by member",
        "a directive replaces the whole object",
        "a value replaces a directive",
        "an object replaces a directive",
    ],
)
def test_a_preset_is_laid_over_the_defaults(mapping: str, field: str, expected: Any) -> None:
    assert catalog(preset(mapping)).presets[0].fields[field] == expected


def test_the_defaults_are_not_changed_by_what_is_laid_over_them() -> None:
    changed, plain = catalog(preset("{event_name: lead, user_data: {phone: '1'}}"), preset(name="B")).presets

    assert changed.fields["user_data"]["phone"] == "1"
    assert plain.fields["user_data"]["phone"] == PHONE


def test_null_takes_a_default_away() -> None:
    (found,) = catalog(preset("{event_name: lead, user_data: {email: null}}")).enabled

    assert found.mapping.resolve({"properties": {"email": "a@b.co"}})["user_data"] == {"email": None}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_later_folder_replaces_files_of_the_same_name_and_adds_its_own(tmp_path: Path) -> None:
    shipped = write(tmp_path / "shipped", a=preset(name="A"), b=preset(name="B"))
    own = write(tmp_path / "own", a=preset(name="Mine"), c=preset(name="C"))
    mappings = write(tmp_path / "mappings", report_conversion_event=ACTION)

    found = load_catalog([shipped, own], mappings)

    assert [(p.name, p.file) for p in found.presets] == [
        ("Mine", str(own / "a.yaml")),
        ("B", str(shipped / "b.yaml")),
        ("C", str(own / "c.yaml")),
    ]


def test_a_folder_without_any_yaml_file_is_a_fault_even_beside_a_full_one(tmp_path: Path) -> None:
    presets = write(tmp_path / "presets", a=preset(name="A"))
    empty = write(tmp_path / "mount")
    (empty / "preset.txt").write_text("not read", encoding="utf-8")

    with pytest.raises(CatalogError) as caught:
        load_catalog([presets, empty], empty)

    assert [str(fault).partition(":")[0] for fault in caught.value.faults] == [str(empty), str(empty)]
    assert "no YAML file" in str(caught.value)


def test_what_cannot_be_read_is_told_and_nothing_else_is(tmp_path: Path) -> None:
    mappings = write(tmp_path / "mappings", report_conversion_event=ACTION)
    presets = write(tmp_path / "presets", a="a: [")
    (presets / "b.yaml").write_bytes(b"\xff")
    (presets / "c.yaml").mkdir()
    (presets / "notes.txt").write_text("not read", encoding="utf-8")

    with pytest.raises(CatalogError) as caught:
        load_catalog([presets, tmp_path / "nowhere"], mappings)

    assert [str(fault) for fault in caught.value.faults] == [
        f"{tmp_path / 'nowhere'}: the folder does not exist: create it, or name another in PRESETS_DIR",
        f"{presets / 'b.yaml'}: cannot be read: not UTF-8",
        f"{presets / 'c.yaml'}: cannot be read: Is a directory",
    ]


def test_the_texts_of_a_folder_make_the_same_catalog_as_the_folder() -> None:
    presets, mappings = ROOT / "presets", ROOT / "mappings"

    from_texts = compile_catalog(*read_texts(PRESETS_DIR=presets, MAPPINGS_DIR=mappings))

    assert from_texts.generation == load_catalog(presets, mappings).generation


def test_the_generation_changes_with_any_text_or_name_and_with_nothing_else() -> None:
    plain = compile_catalog({"here/a.yaml": preset()}, {ACTION_FILE: ACTION})
    others = [
        compile_catalog({"here/a.yaml": preset(more="# a remark")}, {ACTION_FILE: ACTION}),
        compile_catalog({"here/b.yaml": preset()}, {ACTION_FILE: ACTION}),
        compile_catalog({"here/a.yaml": preset()}, {ACTION_FILE: ACTION + "# a remark"}),
    ]

    assert len({plain.generation, *(other.generation for other in others)}) == 4


def test_the_same_files_elsewhere_are_the_same_generation() -> None:
    here, there = (
        compile_catalog({f"{folder}/presets/a.yaml": preset()}, {f"{folder}/{ACTION_FILE}": ACTION})
        for folder in ("/srv/one", "/opt/two")
    )

    assert here.generation == there.generation


def test_a_file_that_is_faulty_in_its_frame_has_its_trigger_and_mapping_checked_too() -> None:
    text = "name: A\nsubscribe: type ==\naction: nothing\nmapping: {event_name: chekout, lable: 1}\n"
    found = faults(text)
    for place in ("/action: ", "/subscribe: ", "/mapping/event_name: ", "/mapping/lable: "):
        assert sum(f"presets/0.yaml: {place}" in fault for fault in found) == 1, place


@pytest.mark.parametrize(
    "value",
    [
        '{"@literal": chekout}',
        '{"@coalesce": [{"@path": $.event}, chekout]}',
        '{"@if": {exists: {"@path": $.event}, then: checkout, else: chekout}}',
        '{"@ifEquals": {value: {"@path": $.event}, equals: x, then: chekout}}',
    ],
)
def test_a_wrong_event_name_is_found_in_every_branch_of_a_choice(value: str) -> None:
    (fault,) = faults(preset(f"{{event_name: {value}}}"))
    assert "'chekout' is not known: did you mean 'checkout'?" in fault


@every_row(
    ("given", "user_data"),
    [
        ([{"email": "a@b.co", "phone": "1"}, {"email": "c@d.co"}], {"email": ["a@b.co", "c@d.co"], "phone": ["1"]}),
        ({"email": "a@b.co"}, {"email": "a@b.co"}),
        ([{"email": "a@b.co"}, "x", None], {"email": ["a@b.co"]}),
        (["x"], ["x"]),
        ([], []),
        ("x", "x"),
    ],
    ids=str,
)
def test_a_list_of_people_is_joined_member_by_member(given: Any, user_data: Any) -> None:
    found = catalog(preset('{event_name: checkout, user_data: {"@path": $.properties.people}}')).presets[0]

    resolved = found.mapping.resolve({"messageId": "m", "properties": {"people": given}})

    assert resolved["user_data"] == user_data


def test_a_list_that_stands_in_the_preset_itself_is_left_alone() -> None:
    """It is a fault of the preset, which the action tells: `user_data: [...]` is no object."""
    found = catalog(preset("{event_name: checkout, user_data: [{email: a@b.co}]}")).presets[0]

    assert found.mapping.resolve({"messageId": "m"})["user_data"] == [{"email": "a@b.co"}]
