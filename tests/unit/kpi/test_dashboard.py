"""The dashboard as a whole: envelope, empty tenants, bad numbers, and the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from shared.snapshot import METRIC_NAMES, OVERDUE, content_digest, encode
from tests.unit.kpi.given import (
    TODAY,
    D,
    allocation,
    check_case,
    client,
    clock,
    close,
    computed,
    credit,
    expense,
    facts,
    incoming,
    invoice,
    metric,
    open_invoice,
    payable,
    payment,
    quote,
    settlement,
    template,
)
from workers.facts import ClientActivity, Clock, TenantFacts
from workers.kpi.dashboard import dashboard


def busy() -> TenantFacts:
    """Every kind of fact at once, on top of the check case."""
    return replace(
        check_case(),
        quotes=(quote("won", documents=3), quote("lost", window="current"), quote("open", no_rate="GBP")),
        activity=ClientActivity(current=5, previous=4, complete=4, complete_previous=5, retained=3),
        clients=(client("c1", "900"), client("c2", "500", no_rate="GBP")),
        payables=(payable(TODAY + timedelta(days=3), "330", vendor="v"), payable(None, "-30", vendor="v")),
        recurring=(template(TODAY), template(TODAY, kind="invoice")),
        closes=(close(pending=3, overdue=2),),
    )


def test_the_envelope() -> None:
    given = busy()
    snapshot = computed(given).snapshot
    assert (snapshot.user_id, snapshot.name, snapshot.currency, snapshot.basis) == ("A", "Anvil & Co", "USD", "accrual")
    assert (snapshot.timezone, snapshot.local_date, snapshot.state) == ("America/New_York", TODAY, "ok")
    assert snapshot.as_of == "2026-03-11T18:00:00.000Z"
    assert snapshot.computed_at == snapshot.timestamp == "2026-03-11T18:00:01.000Z"
    assert tuple(m.name for m in snapshot.metrics) == METRIC_NAMES
    assert {m.timestamp for m in snapshot.metrics} == {snapshot.as_of}
    overview = computed(given).overview
    assert (overview.user_id, overview.currency, overview.timezone) == ("A", "USD", "America/New_York")
    assert (overview.as_of, overview.computed_at) == (snapshot.as_of, snapshot.computed_at)


def test_the_close_is_what_was_served() -> None:
    found = computed(busy())
    values = {m.name: m for m in found.snapshot.metrics}
    assert found.close.day == TODAY
    assert (found.close.pending, found.close.pending_amount) == (4, values["Pending Invoices"].amount)
    assert (found.close.overdue, found.close.overdue_amount) == (1, values[OVERDUE].amount)
    assert (found.close.conversion, found.close.active_clients) == (D("0.7500"), 5)


def test_todays_close_is_tomorrows_previous() -> None:
    kept = computed(busy()).close
    tomorrow = facts(at=clock(TODAY + timedelta(days=1)), closes=(kept,))
    assert (metric(tomorrow, "Pending Invoices").previous, metric(tomorrow, OVERDUE).previous) == (D(4), D(1))


class TestTenantWithoutData:
    """SPEC 4: values 0, ratios and score null, confidence 0, trend stable, state no_data."""

    GIVEN = facts(has_documents=False, closes=(close(pending=9, overdue=9),))

    def test_state_and_score(self) -> None:
        snapshot = computed(self.GIVEN).snapshot
        assert (snapshot.state, snapshot.performance_score, snapshot.score.value) == ("no_data", None, None)
        assert len(snapshot.score.components) == 6
        assert snapshot.alerts == ()

    @pytest.mark.parametrize("name", METRIC_NAMES)
    def test_every_metric_is_at_rest(self, name: str) -> None:
        found = metric(self.GIVEN, name)
        assert found.value == (None if name == "Quote Conversion" else 0)
        assert (found.confidence, found.trend, found.good) == (D(0), "stable", None)

    def test_overview(self) -> None:
        overview = computed(self.GIVEN).overview
        assert (overview.receivables.outstanding, overview.receivables.customer_credit) == (D(0), D(0))
        assert overview.receivables.dso_days is None
        assert {day.revenue for day in overview.series} == {0}
        assert (overview.top_clients, overview.expense_categories) == ((), ())


SPOILED: list[tuple[str, Callable[[str], Any]]] = [
    ("invoices", lambda text: invoice(TODAY, text)),
    ("invoices", lambda text: invoice(TODAY, "1", gross=text, no_rate="EUR")),
    ("expenses", lambda text: expense(TODAY, text)),
    ("expenses", lambda text: expense(TODAY, text, no_rate="GBP")),
    ("paid_expenses", lambda text: expense(TODAY, "1", gross=text)),
    ("payments", lambda text: payment(TODAY, text)),
    ("open_invoices", lambda text: open_invoice(text)),
    ("open_invoices", lambda text: open_invoice("1", currency="EUR", base=text)),
    ("credits", lambda text: credit(text)),
    ("quotes", lambda text: quote("won", amount=text)),
    ("clients", lambda text: client("c", text)),
    ("incoming", lambda text: incoming(TODAY, text)),
    ("payables", lambda text: payable(TODAY, text)),
    ("payables", lambda text: payable(None, text, vendor="v")),
    ("recurring", lambda text: template(TODAY, text)),
]


@pytest.mark.parametrize(("where", "spoil"), SPOILED)
@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_refused_wherever_they_stand(where: str, spoil: Callable[[str], Any], text: str) -> None:
    broken: dict[str, Any] = {where: (spoil(text),)}
    given = facts(**broken)
    with pytest.raises(ValueError, match="not an amount"):
        computed(given)


def test_nan_among_allocations_is_refused_on_cash_basis() -> None:
    given = facts(basis="cash", allocations=(allocation(TODAY, "NaN"),), settlements=(settlement(TODAY),))
    with pytest.raises(ValueError, match="not an amount"):
        computed(given)


def test_the_largest_amounts_lose_no_digit() -> None:
    """Three times the largest there can be, less twice the same: once remains, to the cent."""
    amount = "9999999999999999999999999999.99"
    given = facts(
        invoices=(
            *(invoice(TODAY, amount) for _ in range(3)),
            *(invoice(TODAY, f"-{amount}", kind="credit_note") for _ in range(2)),
        )
    )
    assert metric(given, "Daily Revenue").value == D(amount)


def test_the_context_of_the_caller_changes_nothing() -> None:
    before = computed(busy()).snapshot
    with localcontext(prec=3):
        assert computed(busy()).snapshot == before


def plain(value: Any) -> bool:
    """Whether every number is finite and written without an exponent."""
    if isinstance(value, dict):
        return all(plain(part) for part in value.values())
    if isinstance(value, list):
        return all(plain(part) for part in value)
    return not isinstance(value, str) or not value.startswith("number:") or set(value[7:]) <= set("-0123456789.")


def test_everything_is_written_as_plain_json_numbers() -> None:
    found = computed(busy())
    for body in (found.snapshot, found.overview):
        read = json.loads(encode(body), parse_float="number:{}".format, parse_int="number:{}".format)
        assert plain(read)
    revenue = json.loads(encode(found.snapshot), parse_float=str)["metrics"][0]
    assert revenue["value"] == "1450.00"
    assert revenue["change_percent"] == "-27.5"


def test_the_same_facts_at_another_moment_are_the_same_content() -> None:
    """Only timestamps and confidences move with the clock."""
    given = busy()
    later = replace(given, clock=replace(given.clock, as_of=given.clock.as_of + timedelta(minutes=5)))
    one, other = computed(given), computed(later)
    assert content_digest(one.snapshot, encode(one.overview)) == content_digest(other.snapshot, encode(other.overview))
    assert one.snapshot.as_of != other.snapshot.as_of


LISTS = (
    "invoices",
    "payments",
    "expenses",
    "paid_expenses",
    "open_invoices",
    "credits",
    "incoming",
    "quotes",
    "clients",
    "payables",
    "recurring",
    "allocations",
    "settlements",
)


@holds_for(st.randoms(use_true_random=False), st.sampled_from(["accrual", "cash"]))
def test_the_order_of_the_facts_does_not_matter(random: Any, basis: str) -> None:
    given = replace(busy(), tenant=replace(busy().tenant, basis=basis))  # type: ignore[arg-type]
    shuffled: dict[str, Any] = {
        name: tuple(random.sample(getattr(given, name), len(getattr(given, name)))) for name in LISTS
    }
    one, other = computed(given), computed(replace(given, **shuffled))
    assert one == other


@holds_for(st.lists(st.decimals(min_value=0, max_value=10**6, places=2), min_size=1, max_size=6))
def test_splitting_a_group_changes_no_amount(amounts: list[Decimal]) -> None:
    """Whether the database hands documents over one by one or added up is its own affair."""
    apart = facts(invoices=tuple(invoice(TODAY, str(amount)) for amount in amounts))
    together = facts(invoices=(invoice(TODAY, str(sum(amounts)), documents=len(amounts)),))
    assert computed(apart) == computed(together)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/Santiago", date(2026, 9, 6), 23),
        ("Pacific/Tongatapu", date(2026, 3, 11), 24),
    ],
)
def test_a_day_of_any_length_is_one_day(zone: str, day: date, hours: int) -> None:
    """Yesterday is the date before, whatever the clocks did: never 24 h ago."""
    tz = ZoneInfo(zone)
    end = datetime(day.year, day.month, day.day, tzinfo=tz) + timedelta(days=1)
    start = end.astimezone(UTC) - timedelta(hours=hours)
    at = Clock(as_of=end.astimezone(UTC) - timedelta(minutes=1), today=day, day_start=start, day_end=end)
    given = facts(at=at, invoices=(invoice(day, "5"), invoice(day - timedelta(days=1), "4")))
    found = metric(given, "Daily Revenue")
    assert (found.value, found.previous) == (D(5), D(4))
    assert D("0.999") < found.confidence_factors.day < 1


def test_computed_at_is_only_a_label() -> None:
    given = busy()
    one = dashboard(given, computed_at=datetime(2026, 3, 11, tzinfo=UTC))
    other = dashboard(given, computed_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert one.snapshot.metrics == other.snapshot.metrics
    assert one.snapshot.alerts == other.snapshot.alerts
