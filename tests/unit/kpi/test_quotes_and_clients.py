"""Quote Conversion, Client Activity, and the lists of the overview: clients, expense categories, history. SPEC 4."""

from __future__ import annotations

import pytest

from shared.snapshot import ACTIVITY, CONVERSION, HistoryDay
from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    client,
    close,
    computed,
    expense,
    facts,
    metric,
    quote,
)
from workers.facts import ClientActivity, Close


@pytest.mark.parametrize(
    ("won", "lost", "expected"),
    [(0, 0, None), (1, 0, "1.0000"), (0, 1, "0.0000"), (1, 2, "0.3333"), (2, 1, "0.6667")],
)
def test_conversion_is_the_share_that_was_won_with_four_decimals(won: int, lost: int, expected: str | None) -> None:
    given = facts(quotes=(quote("won", documents=won), quote("lost", window="current", documents=lost)))
    found = metric(given, CONVERSION)
    assert (None if found.value is None else str(found.value)) == expected
    assert found.unit == "ratio"


def test_conversion_compares_with_the_90_days_before() -> None:
    """45/100 after 30/100."""
    given = facts(
        quotes=(
            quote("won", documents=20),
            quote("won", window="current", documents=25),
            quote("lost", documents=55),
            quote("won", window="previous", documents=30),
            quote("lost", window="previous", documents=70),
            quote("open", documents=9),
        ),
        closes=(close(),),
    )
    found = metric(given, CONVERSION)
    assert (found.value, found.previous, found.change, found.change_percent) == (
        D("0.4500"), D("0.3000"), D("0.1500"), D("50.0"),
    )  # fmt: skip
    assert (found.trend, found.good) == ("up", True)


def test_conversion_without_an_earlier_decision_has_no_change() -> None:
    found = metric(facts(quotes=(quote("won"),)), CONVERSION)
    assert (found.previous, found.change, found.change_percent, found.trend) == (None, None, None, "stable")


def test_conversion_is_decided_on_the_ratios_shown() -> None:
    """1/3 and 3333/10000 both read 0.3333: nothing has changed."""
    given = facts(
        quotes=(
            quote("won"),
            quote("lost", documents=2),
            quote("won", window="previous", documents=3333),
            quote("lost", window="previous", documents=6667),
        )
    )
    found = metric(given, CONVERSION)
    assert (found.change, found.change_percent, found.trend) == (D(0), D("0.0"), "stable")


def test_quotes_count_whatever_their_currency_and_list_their_totals() -> None:
    given = facts(
        quotes=(
            quote("won", amount="500", no_rate="EUR", since=ago(5)),
            quote("lost", amount="300", no_rate="EUR", since=ago(6), window="current"),
            quote("lost", amount="900", no_rate="EUR", since=ago(99), window="previous"),
            quote("won", amount="91"),
            quote("won", window="previous"),
        ),
    )
    found = metric(given, CONVERSION)
    assert found.value == D("0.6667")
    # A ratio of counts needs no rate.
    assert found.change_percent == D("33.3")
    assert [(left.currency, left.amount, left.documents) for left in found.unconverted] == [("EUR", D("800.00"), 2)]
    # Of the 90 days before no money is shown.
    assert [(issue.currency, issue.since) for issue in computed(given).snapshot.data_issues] == [("EUR", ago(6))]


def test_activity_compares_with_the_30_days_before() -> None:
    found = metric(facts(activity=ClientActivity(current=12, previous=16)), ACTIVITY)
    assert (found.value, found.previous, found.change, found.change_percent) == (D(12), D(16), D(-4), D("-25.0"))
    assert (found.trend, found.good, found.unit) == ("down", False, "count")


def test_the_overview_shows_open_quotes_and_decisions() -> None:
    given = facts(
        quotes=(
            quote("open", amount="100", documents=2),
            quote("open", amount="110"),
            quote("won", documents=3),
            quote("lost", window="current"),
            quote("lost", window="previous", documents=9),
        ),
    )
    found = computed(given).overview.quotes
    assert (found.open_count, found.open_amount, found.won, found.lost) == (3, D("210.00"), 3, 1)
    assert found.conversion == D("0.7500")


def test_open_quotes_none_of_which_can_be_converted_have_no_amount() -> None:
    overview = computed(facts(quotes=(quote("open", no_rate="EUR"), quote("won", no_rate="GBP")))).overview
    assert overview.quotes.open_amount is None
    assert [left.currency for left in overview.unconverted.quotes] == ["EUR"]
    assert computed(facts()).overview.quotes.open_amount == 0


def test_top_clients_are_those_with_the_highest_revenue() -> None:
    """710 of 1420: the client below 0 is no part of what others have a share of."""
    given = facts(
        clients=(
            client("small", "10"),
            client("large", "600"),
            client("large", "110"),
            client(None, "700"),
            client("returns", "-50"),
        ),
    )
    found = computed(given).overview.top_clients
    assert [(c.client_id, c.name, c.revenue, c.share, c.documents) for c in found] == [
        ("large", "Client large", D("710.00"), D("0.5000"), 2),
        (None, None, D("700.00"), D("0.4930"), 1),
        ("small", "Client small", D("10.00"), D("0.0070"), 1),
        ("returns", "Client returns", D("-50.00"), None, 1),
    ]


def test_a_client_of_whom_nothing_converts_comes_last_without_amount_and_takes_all_shares_away() -> None:
    given = facts(
        clients=(
            client("b", "5000", no_rate="GBP"),
            client(None, "7", no_rate="GBP"),
            client("a", "1", no_rate="GBP"),
            client("known", "-10"),
            client("mixed", "600"),
            client("mixed", "1", no_rate="EUR"),
        )
    )
    overview = computed(given).overview
    assert [(c.client_id, c.revenue, c.share) for c in overview.top_clients] == [
        ("mixed", D("600.00"), None),
        ("known", D("-10.00"), None),
        ("a", None, None),
        ("b", None, None),
        (None, None, None),
    ]
    left = [(one.currency, one.amount, one.documents) for one in overview.unconverted.top_clients]
    assert left == [("EUR", D("1.00"), 1), ("GBP", D("5008.00"), 3)]


def test_ten_clients_are_shown_and_shares_are_of_all() -> None:
    given = facts(clients=tuple(client(f"c{number:02}", "5") for number in range(20)))
    found = computed(given).overview.top_clients
    assert [c.client_id for c in found] == [f"c{number:02}" for number in range(10)]
    assert {c.share for c in found} == {D("0.0500")}


def test_shares_are_of_the_positive_rows() -> None:
    given = facts(clients=(client("a", "5"), client("b", "-5"), client("c", "0")))
    assert [c.share for c in computed(given).overview.top_clients] == [D(1), None, None]


def test_expense_categories_cover_the_trailing_30_days_on_the_tenants_basis() -> None:
    dated = (
        expense(TODAY, "60", category="rent"),
        expense(ago(29), "30", category="rent", documents=2),
        expense(ago(30), "999", category="rent"),
        expense(TODAY, "10"),
        expense(TODAY, "50", category="travel", no_rate="EUR"),
    )
    given = facts(expenses=dated, paid_expenses=(expense(TODAY, "5", category="paid"),))
    found = computed(given).overview.expense_categories
    assert [(c.category, c.amount, c.share, c.documents) for c in found] == [
        ("rent", D("90.00"), None, 3),
        (None, D("10.00"), None, 1),
        ("travel", None, None, 1),
    ]
    assert [left.currency for left in computed(given).overview.unconverted.expense_categories] == ["EUR"]
    convertible = facts(expenses=dated[:4])
    assert [c.share for c in computed(convertible).overview.expense_categories] == [D("0.9000"), D("0.1000")]
    on_cash_basis = facts(basis="cash", expenses=dated, paid_expenses=(expense(TODAY, "5", category="paid"),))
    assert [c.category for c in computed(on_cash_basis).overview.expense_categories] == ["paid"]


def test_history_lists_the_kept_closes_of_the_last_29_days_in_order() -> None:
    kept = Close(
        day=ago(5),
        pending=3,
        pending_amount=D(1),
        overdue=2,
        overdue_amount=None,
        conversion=D("0.45"),
        active_clients=7,
    )
    given = facts(closes=(close(TODAY), close(YESTERDAY, pending=1), kept, close(ago(30))))
    assert computed(given).overview.history == (
        HistoryDay(date=ago(5), pending=3, overdue=2, conversion=D("0.4500"), active_clients=7),
        HistoryDay(date=YESTERDAY, pending=1, overdue=0, conversion=None, active_clients=0),
    )
