"""Quote Conversion, Client Activity, and the lists of the overview: clients, expense categories, history. SPEC 4 and 6."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

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
from workers.kpi.ranking import TOP, shares
from workers.kpi.totals import Total


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


def test_quotes_count_whatever_their_currency_and_list_their_totals() -> None:
    given = facts(
        quotes=(
            quote("won", amount="500", currency="EUR", rate_date=ago(5)),
            quote("lost", amount="300", currency="EUR", rate_date=ago(6), window="current"),
            quote("lost", amount="900", currency="EUR", rate_date=ago(6), window="previous"),
            quote("won", amount="70", currency="GBP", rate_date=ago(5)),
        ),
        rates={("GBP", ago(5)): D("1.3")},
    )
    found = metric(given, CONVERSION)
    assert found.value == D("0.6667")
    assert [(left.currency, left.amount, left.documents) for left in found.unconverted] == [("EUR", D("800.00"), 2)]


def test_activity_compares_with_the_30_days_before() -> None:
    found = metric(facts(activity=ClientActivity(current=12, previous=16)), ACTIVITY)
    assert (found.value, found.previous, found.change, found.change_percent) == (D(12), D(16), D(-4), D("-25.0"))
    assert (found.trend, found.good, found.unit) == ("down", False, "count")


def test_the_overview_shows_open_quotes_and_decisions() -> None:
    given = facts(
        quotes=(
            quote("open", amount="100", documents=2),
            quote("open", amount="100", currency="EUR", rate_date=TODAY),
            quote("won", documents=3),
            quote("lost", window="current"),
            quote("lost", window="previous", documents=9),
        ),
        rates={("EUR", TODAY): D("1.1")},
    )
    found = computed(given).overview.quotes
    assert (found.open_count, found.open_amount, found.won, found.lost) == (3, D("210.00"), 3, 1)
    assert found.conversion == D("0.7500")


def test_open_quotes_none_of_which_can_be_converted_have_no_amount() -> None:
    assert computed(facts(quotes=(quote("open", currency="EUR"),))).overview.quotes.open_amount is None
    assert computed(facts()).overview.quotes.open_amount == 0


def test_top_clients_are_those_with_the_highest_revenue() -> None:
    """600 + 100 EUR × 1.10 = 710 of 1420."""
    given = facts(
        clients=(
            client("small", "10"),
            client("large", "600"),
            client("large", "100", currency="EUR", rate_date=TODAY),
            client(None, "700"),
            client("unknown", "5000", currency="GBP", rate_date=TODAY),
        ),
        rates={("EUR", TODAY): D("1.10")},
    )
    found = computed(given).overview.top_clients
    assert [(c.client_id, c.name, c.revenue, c.share, c.documents) for c in found] == [
        ("large", "Client large", D("710.00"), D("0.5000"), 2),
        (None, None, D("700.00"), D("0.4930"), 1),
        ("small", "Client small", D("10.00"), D("0.0070"), 1),
    ]


def test_ten_clients_are_shown_and_shares_are_of_all() -> None:
    given = facts(clients=tuple(client(f"c{number:02}", "5") for number in range(20)))
    found = computed(given).overview.top_clients
    assert [c.client_id for c in found] == [f"c{number:02}" for number in range(10)]
    assert {c.share for c in found} == {D("0.0500")}


def test_shares_of_nothing_are_null() -> None:
    given = facts(clients=(client("a", "5"), client("b", "-5")))
    assert [c.share for c in computed(given).overview.top_clients] == [None, None]


names = st.none() | st.text(max_size=3)
totals = st.builds(
    Total,
    amount=st.decimals(min_value=0, max_value=10**6, places=2),
    documents=st.just(1),
    convertible=st.sampled_from([0, 1]),
)


@holds_for(st.dictionaries(names, totals, max_size=15))
def test_a_ranking_is_ordered_and_its_shares_never_pass_one(parts: dict[str | None, Total]) -> None:
    found = shares(parts)
    assert len(found) == min(TOP, sum(part.convertible for part in parts.values()))
    assert all(one[1] >= other[1] for one, other in pairwise(found))
    assert sum((share or Decimal(0)) for _, _, share, _ in found) <= Decimal("1.0000000000001")


def test_expense_categories_cover_the_trailing_30_days_on_the_tenants_basis() -> None:
    dated = (
        expense(TODAY, "60", category="rent"),
        expense(ago(29), "30", category="rent", documents=2),
        expense(ago(30), "999", category="rent"),
        expense(TODAY, "10"),
        expense(TODAY, "50", category="travel", currency="EUR"),
    )
    given = facts(expenses=dated, paid_expenses=(expense(TODAY, "5", category="paid"),))
    found = computed(given).overview.expense_categories
    assert [(c.category, c.amount, c.share, c.documents) for c in found] == [
        ("rent", D("90.00"), D("0.9000"), 3),
        (None, D("10.00"), D("0.1000"), 1),
    ]
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
