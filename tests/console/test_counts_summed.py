from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.charts import HEIGHT, draw
from app.console.counts import SERIES, TOP, Counted, narrowed, summarise
from app.console.filter import PERIODS
from app.console.labels import COMPONENT_LABELS, COMPONENT_OF_GROUP, OTHER_KEY_LABELS
from app.console.overview_page import LastAnswers, last_answers
from app.core.events import CounterRow
from app.identity import GROUPS
from tests.console.world import NOW

HOUR = PERIODS[0]
LAST = 1_795_000_000 // 300 * 300  # the five minutes that NOW is in


def test_counts_stand_in_their_step_and_older_ones_are_left_out() -> None:
    counters = [
        (LAST, CounterRow(name="accepted", count=3)),
        (LAST, CounterRow(name="refused", label="not JSON", count=1)),
        (LAST - 300, CounterRow(name="delivered", preset="Checkout", count=2)),
        (LAST - 3_600, CounterRow(name="accepted", count=99)),
    ]
    summary = summarise(counters, HOUR, [], now=NOW)
    assert summary.series["received"][-2:] == (0, 4)
    assert summary.series["delivered"][-2:] == (2, 0)
    assert summary.total("received") == 4
    assert summary.totals == Counter(accepted=3, refused=1, delivered=2)


def test_presets_stand_in_the_catalogs_order_and_removed_ones_follow() -> None:
    counters = [
        (LAST, CounterRow(name="matched", preset="Gone", count=1)),
        (LAST, CounterRow(name="enqueued", preset="Checkout", count=4)),
        (LAST, CounterRow(name="quality", preset="Checkout", label="hashed_email", count=3)),
    ]
    summary = summarise(counters, HOUR, ["Lead", "Checkout"], now=NOW)
    assert [preset.name for preset in summary.presets] == ["Lead", "Checkout", "Gone"]
    lead, checkout, _ = summary.presets
    assert lead.counts["enqueued"] == 0
    assert checkout.counts["enqueued"] == 4
    assert checkout.quality == Counter(hashed_email=3)


def test_what_memory_completed_is_told_by_component_beside_the_whole() -> None:
    counters = [
        (LAST, CounterRow(name="quality", preset="Checkout", label="hashed_email", count=3)),
        (LAST, CounterRow(name="memory", preset="Checkout", label="em", count=2)),
        (LAST, CounterRow(name="memory", preset="Checkout", label="click", count=1)),
        (LAST, CounterRow(name="memory", preset="Checkout", label="place", count=1)),
        (LAST, CounterRow(name="memory", preset="Lead", label="em", count=1)),
    ]
    checkout, lead = summarise(counters, HOUR, ["Checkout", "Lead"], now=NOW).presets
    assert checkout.recalled == Counter(hashed_email=2, click_id_epik=1)
    assert lead.recalled == Counter(hashed_email=1)


def test_every_component_that_memory_may_complete_has_its_words() -> None:
    assert set(COMPONENT_OF_GROUP) <= set(GROUPS)
    assert set(COMPONENT_OF_GROUP.values()) <= set(COMPONENT_LABELS) | set(OTHER_KEY_LABELS)


def test_reasons_are_summed_over_time_and_presets_and_the_most_frequent_stand_first() -> None:
    counters = [
        (LAST, CounterRow(name="invalid", preset="Checkout", label="no identifier", count=2)),
        (LAST - 300, CounterRow(name="invalid", preset="Checkout", label="no identifier", count=2)),
        (LAST, CounterRow(name="invalid", preset="Lead", label="no identifier", count=1)),
        (LAST, CounterRow(name="withheld", label="consent", count=3)),
        (LAST, CounterRow(name="delivered", preset="Checkout", label="fine", count=50)),
        (LAST, CounterRow(name="retry", preset="Checkout", count=50)),
        (LAST, CounterRow(name="warning", preset="Checkout", label="user_data/phone", count=7)),
    ]
    summary = summarise(counters, HOUR, [], now=NOW)
    assert summary.reasons == (
        Counted(name="invalid", label="no identifier", count=5, presets=("Checkout", "Lead")),
        Counted(name="withheld", label="consent", count=3, presets=()),
    )
    assert [warning.count for warning in summary.warnings] == [7]


def test_a_warning_with_advice_is_listed_before_all_others_however_rare_it_is() -> None:
    common = [CounterRow(name="warning", preset="Checkout", label=f"custom_data.{n}", count=9) for n in range(TOP)]
    rare = CounterRow(name="warning", preset="Checkout", label="checkout without value", count=1)

    summary = summarise([(LAST, counter) for counter in (*common, rare)], HOUR, [], now=NOW)

    assert summary.warnings[0].label == rare.label
    assert len(summary.warnings) == TOP


@given(
    st.lists(
        st.tuples(
            st.integers(LAST - 3_300, LAST + 299),
            st.builds(
                CounterRow,
                name=st.sampled_from(["accepted", "refused", "invalid", "rejected", "matched"]),
                count=st.integers(1, 1_000),
            ),
        )
    )
)
def test_no_count_is_lost_between_the_steps(counters: list[tuple[int, CounterRow]]) -> None:
    summary = summarise(counters, HOUR, [], now=NOW)
    for name, counted in SERIES.items():
        assert summary.total(name) == sum(counter.count for _, counter in counters if counter.name in counted)


def test_last_answers_are_summed_by_status_and_the_latest_stands_first() -> None:
    counters = [
        (60, CounterRow(name="calls", label="200", count=5)),
        (120, CounterRow(name="calls", label="429", count=1)),
        (60, CounterRow(name="calls", label="429", count=2)),
        (180, CounterRow(name="delivered", label="", count=9)),
    ]
    assert last_answers(counters) == (
        LastAnswers(status="429", count=3, last_at=120),
        LastAnswers(status="200", count=5, last_at=60),
    )


def test_the_largest_bar_has_the_full_height_and_none_is_invisible() -> None:
    bars = draw([0, 1, 1_000])
    assert bars.outline == "M11 100V97h8V100zM21 100V0h8V100z"
    assert (bars.width, bars.height, bars.most) == (30, HEIGHT, 1_000)


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_nothing_is_drawn_of_nothing(counts: list[int]) -> None:
    assert draw(counts).outline == ""


def test_counts_are_narrowed_to_one_ad_account_and_one_source() -> None:
    counters = [
        (LAST, CounterRow(name="enqueued", ad_account_id=account, source=source))
        for account in ("1", "2")
        for source in ("shop", "till")
    ]
    found = [
        (account, source, len(narrowed(counters, account=account, source=source)))
        for account in ("", "1")
        for source in ("", "till")
    ]
    assert found == [("", "", 4), ("", "till", 2), ("1", "", 2), ("1", "till", 1)]
