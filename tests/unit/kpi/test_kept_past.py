"""What is remembered with a tenant's kept days: used as long as it follows from them, and never for anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.kpi.given import TODAY, YESTERDAY, D, clock, computed, expense, facts, invoice, payment
from workers.facts import KeptPast, KeptTotal, TenantFacts
from workers.kpi.windows import edges, first_live_day

Change = Callable[[TenantFacts], TenantFacts]


def kept_totals(revenue: str = "1234.56") -> tuple[KeptTotal, ...]:
    """Money in every stretch of the past, and in every third something without a rate."""
    starts = [day for day in edges(TODAY, 1) if day < first_live_day(TODAY)]
    return tuple(
        KeptTotal(
            first=day,
            no_rate="GBP" if place % 3 == 2 else None,
            revenue=D(revenue) + place,
            revenue_documents=1,
            in_part=True,
            expenses=D("100.10") + place,
            expenses_documents=1,
            money_in=D("900.90") + place,
            money_in_documents=1,
            money_out=D("50.05") + place,
            money_out_documents=1,
            since=day,
        )
        for place, day in enumerate(starts)
    )


def with_past(revenue: str = "1234.56") -> TenantFacts:
    """A tenant that has done business for two years, until today."""
    return facts(
        invoices=(invoice(TODAY, "10.01"), invoice(YESTERDAY, "5")),
        payments=(payment(TODAY, "7"),),
        expenses=(expense(YESTERDAY, "3"),),
        paid_expenses=(expense(TODAY, "3"),),
        kept=KeptPast(kept_totals(revenue)),
    )


def anew(given: TenantFacts) -> TenantFacts:
    """The same, with kept days that nobody has seen."""
    return replace(given, kept=KeptPast(given.kept.totals))


def on(days_later: int) -> Change:
    """The same facts on a later day."""
    return lambda given: replace(given, clock=clock(TODAY + timedelta(days=days_later)))


def of_tenant(**over: object) -> Change:
    """The same facts of a tenant with another setting."""
    return lambda given: replace(given, tenant=replace(given.tenant, **over))  # type: ignore[arg-type]


CHANGES: dict[str, Change] = {
    "basis": of_tenant(basis="cash"),
    "currency": of_tenant(base_currency="JPY"),
    "fiscal year": of_tenant(fiscal_year_start_month=4),
    "next day": on(1),
    "next month": on(30),
}


def test_kept_days_are_added_up_once_for_as_long_as_nobody_makes_them_anew() -> None:
    given = with_past()
    one = computed(given).overview
    later = computed(replace(given, invoices=(invoice(TODAY, "99"),))).overview
    assert one.months[-1] is later.months[-1]
    assert one.months[0] != later.months[0]
    assert computed(anew(given)).overview.months[-1] is not one.months[-1]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_remembered_is_not_used_for_another_question(change: Change) -> None:
    assert_kept_apart(with_past(), change)


def test_revenue_is_not_remembered_where_it_is_not_known_any_more() -> None:
    on_cash = CHANGES["basis"](with_past())
    assert_kept_apart(on_cash, lambda given: replace(given, links_known=False))


def assert_kept_apart(given: TenantFacts, change: Change) -> None:
    """The change shows as if nothing had been computed before, and taking it back does, too."""
    before, after = computed(given), computed(change(given))
    assert after == computed(anew(change(given)))
    assert (after.overview.months, after.overview.periods) != (before.overview.months, before.overview.periods)
    assert computed(given) == before


def test_a_backdated_change_is_shown_at_once() -> None:
    before, after = computed(with_past()).overview, computed(with_past(revenue="2234.56")).overview
    known = [(was.revenue, now.revenue) for was, now in zip(before.months, after.months, strict=True) if was.revenue]
    assert len(known) > 12
    assert all(now is not None and now - was >= 1000 for was, now in known[2:])
    year = {period.name: period for period in after.periods}["last_fiscal_year"]
    assert year.revenue != {period.name: period for period in before.periods}["last_fiscal_year"].revenue


def test_documents_of_today_change_no_period_that_is_over() -> None:
    given = with_past()
    one = {period.name: period for period in computed(given).overview.periods}
    other = {period.name: period for period in computed(replace(given, invoices=())).overview.periods}
    assert one["last_fiscal_year"] is other["last_fiscal_year"]
    assert one["today"] != other["today"]
    assert one["last_12_months"].previous is other["last_12_months"].previous


def test_without_anything_kept_there_is_nothing_to_remember() -> None:
    given = replace(with_past(), kept=KeptPast())
    assert computed(given) == computed(anew(given))
    assert computed(given).overview.months[-1].revenue == 0
