"""The performance score: components, anchors, coverage. SPEC 4, Performance score."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from shared.snapshot import CollectionsValue, ScoreComponent
from tests.unit.kpi.given import (
    TODAY,
    D,
    ago,
    computed,
    expense,
    facts,
    invoice,
    open_invoice,
    payment,
    quote,
)
from workers.facts import ClientActivity, TenantFacts
from workers.kpi.score import (
    CASH,
    CLIENTS,
    DAYS_OVER_TERMS,
    GROWTH,
    OVERDUE_SHARE,
    PIPELINE,
    PROFITABILITY,
    WEIGHTS,
    Anchors,
    ScoreInput,
    ScoreInputs,
    performance_score,
)

NONE = ScoreInput(None, "No data.")


def reading(value: str) -> ScoreInput:
    return ScoreInput(D(value), "Said.")


# Margin 18 %, growth 5 %, cash .15, overdue share 25 %, 11 days over terms, conversion 45 %, retained 16 of 25.
WORKED = ScoreInputs(
    profitability=reading("0.18"),
    growth=reading("0.05"),
    cash=reading("0.15"),
    overdue_share=reading("0.25"),
    days_over_terms=reading("11"),
    pipeline=reading("0.45"),
    clients=reading("0.64"),
)
NOTHING = ScoreInputs(**dict.fromkeys(ScoreInputs.__dataclass_fields__, NONE))


def component(given: TenantFacts, name: str) -> ScoreComponent:
    return next(part for part in computed(given).snapshot.score.components if part.name == name)


def test_the_worked_example() -> None:
    """76 × .25 + 70 × .15 + 81.25 × .20 + (.6 × 50 + .4 × 75.5556) × .25 + 75 × .10 + 73.3333 × .05 = 71.9722."""
    score = performance_score(WORKED)
    assert (score.value, score.coverage) == (D("71.97"), D("1.00"))
    assert [part.points for part in score.components] == [
        D("76.00"), D("70.00"), D("81.25"), D("60.22"), D("75.00"), D("73.33"),
    ]  # fmt: skip
    assert score.components[3].value == CollectionsValue(overdue_share=D("0.2500"), days_over_terms=D("11.0"))


def test_the_worked_example_without_quotes() -> None:
    """(71.9722 − 7.5) / .90 = 71.6358."""
    score = performance_score(replace(WORKED, pipeline=NONE))
    assert (score.value, score.coverage) == (D("71.64"), D("0.90"))


@pytest.mark.parametrize(
    ("anchors", "zero_at", "full_at", "middle"),
    [
        (PROFITABILITY, "-0.2", "0.3", "0.05"),
        (GROWTH, "-0.3", "0.2", "-0.05"),
        (CASH, "-0.5", "0.3", "-0.1"),
        (OVERDUE_SHARE, "0.5", "0", "0.25"),
        (DAYS_OVER_TERMS, "45", "0", "22.5"),
        (PIPELINE, "0", "0.6", "0.3"),
        (CLIENTS, "0.2", "0.8", "0.5"),
    ],
)
def test_points_are_linear_between_the_anchors_and_clamped(
    anchors: Anchors, zero_at: str, full_at: str, middle: str
) -> None:
    low, high = D(zero_at), D(full_at)
    assert (anchors.points(low), anchors.points(D(middle)), anchors.points(high)) == (D(0), D(50), D(100))
    assert (anchors.points(low - (high - low)), anchors.points(high + (high - low))) == (D(0), D(100))


def test_the_weights_make_one() -> None:
    assert sum(WEIGHTS.values()) == 1


def test_all_six_components_are_returned_even_when_none_has_data() -> None:
    score = performance_score(NOTHING)
    assert [part.name for part in score.components] == list(WEIGHTS)
    assert (score.value, score.coverage) == (None, D("0.00"))
    assert all(part.points is None and part.reason for part in score.components)
    assert score.components[3].value == CollectionsValue(overdue_share=None, days_over_terms=None)


@pytest.mark.parametrize(
    ("present", "covered"),
    [
        (("profitability", "overdue_share"), True),  # .25 + .25 = .50
        (("profitability", "growth", "clients"), False),  # .25 + .15 + .05 = .45
        (("profitability", "days_over_terms"), True),  # half of collections carries its whole weight
        (("cash", "growth", "pipeline"), False),  # .45
        (("cash", "growth", "pipeline", "clients"), True),  # .50
    ],
)
def test_below_a_coverage_of_one_half_there_is_no_score(present: tuple[str, ...], covered: bool) -> None:
    score = performance_score(replace(NOTHING, **{name: getattr(WORKED, name) for name in present}))
    assert (score.value is not None) is covered


@pytest.mark.parametrize(
    ("overdue", "lateness", "points"),
    [("0.25", "11", "60.22"), ("0.25", None, "50.00"), (None, "11", "75.56"), (None, None, None)],
)
def test_weights_renormalise_inside_collections_too(
    overdue: str | None, lateness: str | None, points: str | None
) -> None:
    given = replace(
        WORKED,
        overdue_share=NONE if overdue is None else reading(overdue),
        days_over_terms=NONE if lateness is None else reading(lateness),
    )
    assert performance_score(given).components[3].points == (None if points is None else D(points))


@pytest.mark.parametrize(
    "dropped", [names for size in (1, 2) for names in combinations(ScoreInputs.__dataclass_fields__, size)]
)
def test_dropping_components_that_are_like_the_rest_does_not_move_the_score(dropped: tuple[str, ...]) -> None:
    """Every component at 50 points: whatever drops out, 50 remains, or nothing below the coverage."""
    middle = ScoreInputs(
        profitability=reading("0.05"),
        growth=reading("-0.05"),
        cash=reading("-0.1"),
        overdue_share=reading("0.25"),
        days_over_terms=reading("22.5"),
        pipeline=reading("0.3"),
        clients=reading("0.5"),
    )
    assert performance_score(replace(middle, **dict.fromkeys(dropped, NONE))).value == D("50.00")


raw = st.none() | st.decimals(min_value=-1000, max_value=1000, places=4)


@holds_for(st.fixed_dictionaries(dict.fromkeys(ScoreInputs.__dataclass_fields__, raw)))
def test_the_score_is_between_0_and_100(values: dict[str, Decimal | None]) -> None:
    score = performance_score(ScoreInputs(**{name: ScoreInput(value, "Said.") for name, value in values.items()}))
    assert score.value is None or 0 <= score.value <= 100
    assert (score.value is None) == (score.coverage < D("0.5"))


class TestWhatTheComponentsLookAt:
    def test_profitability_over_30_complete_days(self) -> None:
        """(1000 − 400) / 1000; today and the 31st day do not count."""
        given = facts(
            invoices=(
                invoice(ago(1), "400"),
                invoice(ago(30), "600"),
                invoice(ago(31), "5000"),
                invoice(TODAY, "7000"),
            ),
            expenses=(expense(ago(30), "400"), expense(ago(31), "9000"), expense(TODAY, "9000")),
        )
        part = component(given, "profitability")
        assert (part.value, part.points, part.weight) == (D("0.6000"), D("100.00"), D("0.25"))
        assert part.reason == "Profit was 60.0 % of revenue over the last 30 complete days."

    def test_growth_compares_with_the_30_days_before(self) -> None:
        """900 against 1000 = −10 %: 20/50."""
        given = facts(
            invoices=(invoice(ago(30), "900"), invoice(ago(31), "600"), invoice(ago(60), "400"), invoice(ago(61), "9"))
        )
        part = component(given, "growth")
        assert (part.value, part.points) == (D("-0.1000"), D("40.00"))
        assert part.reason == "Revenue over the last 30 complete days was 10.0 % below that of the 30 days before."

    def test_cash_counts_refunds_and_paid_expenses_as_going_out(self) -> None:
        """In 1000; out 100 + 660 = 760: 240/1000 = .24."""
        given = facts(
            payments=(payment(ago(1), "1000"), payment(ago(30), "-100", kind="refund"), payment(TODAY, "50")),
            paid_expenses=(expense(ago(2), "600", gross="660"),),
        )
        part = component(given, "cash")
        assert (part.value, part.points) == (D("0.2400"), D("92.50"))
        assert (
            part.reason == "24.0 % more came in than went out over the last 30 complete days, as a share of the larger."
        )

    def test_cash_that_only_goes_out_is_worth_nothing(self) -> None:
        part = component(facts(paid_expenses=(expense(ago(1), "600"),)), "cash")
        assert (part.value, part.points) == (D("-1.0000"), D("0.00"))
        assert part.reason.startswith("100.0 % less came in than went out")

    def test_collections_look_at_now(self) -> None:
        """Overdue 100/400 = 25 %: 50. DSO 400/1200 × 90 = 30, terms 14, over 16: 64.4444. .6 × 50 + .4 × 64.4444."""
        given = facts(
            open_invoices=(open_invoice("300"), open_invoice("100", bucket="90+")),
            invoices=(invoice(TODAY, "1000", gross="1200", terms_days=14),),
        )
        part = component(given, "collections")
        assert part.value == CollectionsValue(overdue_share=D("0.2500"), days_over_terms=D("16.0"))
        assert part.points == D("55.78")
        assert part.reason == (
            "25.0 % of what is outstanding is overdue. Billing stays unpaid for 30.0 days, 16.0 more than the agreed 14.0."
        )

    def test_paying_before_terms_is_worth_all_points(self) -> None:
        """DSO 100/900 × 90 = 10, terms 30: −20 days."""
        given = facts(open_invoices=(open_invoice("100"),), invoices=(invoice(TODAY, "900", terms_days=30),))
        part = component(given, "collections")
        assert part.value == CollectionsValue(overdue_share=D("0.0000"), days_over_terms=D("-20.0"))
        assert part.points == D("100.00")
        assert "20.0 less than the agreed 30.0" in part.reason

    def test_collections_without_due_dates_rest_on_the_overdue_share(self) -> None:
        given = facts(open_invoices=(open_invoice("100"),), invoices=(invoice(TODAY, "900"),))
        part = component(given, "collections")
        assert part.value == CollectionsValue(overdue_share=D("0.0000"), days_over_terms=None)
        assert part.points == D("100.00")

    @pytest.mark.parametrize(
        ("won", "lost", "value", "points"),
        [(1, 1, None, None), (1, 2, "0.3333", "55.56"), (0, 3, "0.0000", "0.00"), (3, 0, "1.0000", "100.00")],
    )
    def test_the_pipeline_needs_three_decided_quotes(
        self, won: int, lost: int, value: str | None, points: str | None
    ) -> None:
        given = facts(quotes=(quote("won", documents=won), quote("lost", window="current", documents=lost)))
        part = component(given, "pipeline")
        assert part.value == (None if value is None else D(value))
        assert part.points == (None if points is None else D(points))

    def test_the_pipeline_says_how_many_quotes_are_missing(self) -> None:
        part = component(facts(quotes=(quote("won", documents=2),)), "pipeline")
        assert part.reason == "No data: 2 of the 3 decided quotes needed in the last 90 days."

    def test_clients_are_those_active_again(self) -> None:
        given = facts(activity=ClientActivity(complete=40, complete_previous=25, retained=16))
        part = component(given, "clients")
        assert (part.value, part.points) == (D("0.6400"), D("73.33"))
        assert part.reason == (
            "16 of 25 clients of the 30 days before were active again over the last 30 complete days (64.0 %)."
        )

    @pytest.mark.parametrize(
        ("given", "name", "reason"),
        [
            (facts(), "profitability", "no revenue"),
            (facts(invoices=(invoice(ago(1), "-5", kind="credit_note"),)), "profitability", "no revenue"),
            (facts(invoices=(invoice(ago(1), "5", no_rate="EUR"),)), "profitability", "no exchange rate for EUR"),
            (
                facts(invoices=(invoice(ago(1), "5"),), expenses=(expense(ago(1), "5", no_rate="EUR"),)),
                "profitability",
                "no exchange rate for EUR",
            ),
            (facts(invoices=(invoice(ago(1), "5"),)), "growth", "no revenue in the 30 days before"),
            (facts(invoices=(invoice(ago(40), "5", no_rate="EUR"),)), "growth", "no exchange rate for EUR"),
            (facts(), "cash", "no money came in or went out"),
            (facts(payments=(payment(ago(1), "5", no_rate="EUR"),)), "cash", "no exchange rate for EUR"),
            (
                facts(payments=(payment(ago(1), "5"), payment(ago(1), "-5", kind="refund", no_rate="EUR"))),
                "cash",
                "no exchange rate for EUR",
            ),
            (facts(), "collections", "nothing is outstanding"),
            (facts(open_invoices=(open_invoice("5", currency="EUR"),)), "collections", "no exchange rate for EUR"),
            (facts(), "pipeline", "0 of the 3 decided quotes"),
            (facts(), "clients", "no active client"),
        ],
    )
    def test_what_has_no_data_drops_out_and_says_why(self, given: TenantFacts, name: str, reason: str) -> None:
        part = component(given, name)
        assert part.points is None
        assert reason in part.reason

    def test_one_document_without_a_rate_takes_the_ratio_away_and_is_named(self) -> None:
        """Whatever side it is on: 10 % of what converts might be anything of the whole."""
        given = facts(
            invoices=(invoice(ago(1), "50", no_rate="EUR"), invoice(ago(2), "100"), invoice(ago(40), "80")),
            expenses=(expense(ago(2), "90"), expense(ago(3), "1", no_rate="GBP")),
            open_invoices=(open_invoice("10"), open_invoice("10", currency="EUR")),
        )
        assert component(given, "profitability").reason == "No data: no exchange rate for EUR and GBP."
        assert component(given, "growth").reason == "No data: no exchange rate for EUR."
        assert component(given, "collections").reason == (
            "No data on overdue amounts: no exchange rate for EUR. No data on days to payment: no exchange rate for EUR."
        )

    def test_an_invoice_dated_ahead_is_in_the_overdue_share_but_not_in_the_days(self) -> None:
        """DSO looks at invoices dated up to today: 0 of 900. The one dated ahead lacks a rate: no share."""
        given = facts(
            invoices=(invoice(TODAY, "900", terms_days=30),),
            open_invoices=(open_invoice("100", currency="EUR", issued=False),),
        )
        part = component(given, "collections")
        assert part.value == CollectionsValue(overdue_share=None, days_over_terms=D("-30.0"))
        assert part.points == D("100.00")

    def test_without_known_links_revenue_on_cash_basis_has_no_part(self) -> None:
        given = facts(basis="cash", links_known=False, paid_expenses=(expense(ago(1), "9"),))
        for name in ("profitability", "growth"):
            part = component(given, name)
            assert part.points is None
            assert part.reason == "No data: it is not known which payments paid for which invoices."

    def test_growth_and_profitability_follow_the_basis(self) -> None:
        accrual = facts(invoices=(invoice(ago(1), "100"),), paid_expenses=(expense(ago(1), "90"),))
        assert component(accrual, "profitability").value == D(1)
        assert component(replace(accrual, tenant=replace(accrual.tenant, basis="cash")), "profitability").value is None
