"""The raw values of the score, each with a sentence about it. Source: SPEC 4, Performance score."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from workers.facts import TenantFacts
from workers.kpi.days import Period, complete
from workers.kpi.dso import Dso
from workers.kpi.money import PERCENT_PLACES, formatted_percent, rounded
from workers.kpi.quotes import Quotes
from workers.kpi.receivables import Receivables
from workers.kpi.score import ScoreInput, ScoreInputs
from workers.kpi.sums import Sums
from workers.kpi.totals import Total

SCORED_DAYS = 30
LEAST_DECIDED_QUOTES = 3
_OVER_THE_DAYS = f"over the last {SCORED_DAYS} complete days"
UNKNOWN_LINKS = "it is not known which payments paid for which invoices"


def score_inputs(facts: TenantFacts, sums: Sums) -> ScoreInputs:
    """Flows over 30 complete days, collections and pipeline as of now."""
    today = facts.clock.today
    now, before = complete(today, SCORED_DAYS), complete(today, SCORED_DAYS, skip_days=SCORED_DAYS)
    earned = sums.revenue.money(now)
    return ScoreInputs(
        profitability=_profitability(earned, sums.expenses.money(now)),
        growth=_growth(earned, sums.revenue.money(before)),
        cash=_cash(sums, now),
        overdue_share=_overdue_share(sums.receivables),
        days_over_terms=_days_over_terms(sums.dso),
        pipeline=_pipeline(sums.quotes),
        clients=_clients(facts),
    )


def _profitability(earned: Total, spent: Total) -> ScoreInput:
    unknown = _unknown(earned, spent)
    if unknown:
        return ScoreInput(None, f"No data: {unknown}.")
    if earned.amount <= 0:
        return ScoreInput(None, f"No data: no revenue {_OVER_THE_DAYS}.")
    margin = (earned.amount - spent.amount) / earned.amount
    return ScoreInput(margin, f"Profit was {formatted_percent(margin)} of revenue {_OVER_THE_DAYS}.")


def _growth(now: Total, earlier: Total) -> ScoreInput:
    unknown = _unknown(now, earlier)
    if unknown:
        return ScoreInput(None, f"No data: {unknown}.")
    if earlier.amount <= 0:
        return ScoreInput(None, f"No data: no revenue in the {SCORED_DAYS} days before to compare with.")
    growth = (now.amount - earlier.amount) / earlier.amount
    side = "below" if growth < 0 else "above"
    return ScoreInput(
        growth,
        f"Revenue {_OVER_THE_DAYS} was {formatted_percent(abs(growth))} {side} that of the {SCORED_DAYS} days before.",
    )


def _cash(sums: Sums, period: Period) -> ScoreInput:
    money_in, money_out = sums.cash.money_in.money(period), sums.cash.money_out.money(period).negative()
    unknown = _unknown(money_in, money_out)
    if unknown:
        return ScoreInput(None, f"No data: {unknown}.")
    larger = max(money_in.amount, money_out.amount)
    if larger <= 0:
        return ScoreInput(None, f"No data: no money came in or went out {_OVER_THE_DAYS}.")
    ratio = (money_in.amount - money_out.amount) / larger
    side = "less came in than went out" if ratio < 0 else "more came in than went out"
    return ScoreInput(ratio, f"{formatted_percent(abs(ratio))} {side} {_OVER_THE_DAYS}, as a share of the larger.")


def _overdue_share(now: Receivables) -> ScoreInput:
    unknown = _unknown(now.open)
    if unknown:
        return ScoreInput(None, f"No data on overdue amounts: {unknown}.")
    outstanding = now.open.amount
    if outstanding <= 0:
        return ScoreInput(None, "No data on overdue amounts: nothing is outstanding.")
    share = now.overdue.amount / outstanding
    return ScoreInput(share, f"{formatted_percent(share)} of what is outstanding is overdue.")


def _days_over_terms(dso: Dso) -> ScoreInput:
    if dso.lacking:
        return ScoreInput(None, f"No data on days to payment: {_no_rate(dso.lacking)}.")
    if dso.days is None:
        return ScoreInput(None, "No data on days to payment: nothing billed in the last 90 days.")
    if dso.terms_days is None:
        return ScoreInput(None, "No data on days over terms: no invoice of the last 90 days has a due date.")
    days = dso.days - dso.terms_days
    return ScoreInput(
        days,
        f"Billing stays unpaid for {_days(dso.days)} days, {_days(abs(days))} "
        f"{'less' if days < 0 else 'more'} than the agreed {_days(dso.terms_days)}.",
    )


def _pipeline(quotes: Quotes) -> ScoreInput:
    if quotes.conversion is None or quotes.decided_count < LEAST_DECIDED_QUOTES:
        return ScoreInput(
            None,
            f"No data: {quotes.decided_count} of the {LEAST_DECIDED_QUOTES} decided quotes needed in the last 90 days.",
        )
    return ScoreInput(
        quotes.conversion,
        f"{quotes.won} of {quotes.decided_count} quotes decided in the last 90 days were won "
        f"({formatted_percent(quotes.conversion)}).",
    )


def _clients(facts: TenantFacts) -> ScoreInput:
    before, retained = facts.activity.complete_previous, facts.activity.retained
    if not before:
        return ScoreInput(None, f"No data: no active client in the {SCORED_DAYS} days before to compare with.")
    share = Decimal(retained) / before
    return ScoreInput(
        share,
        f"{retained} of {before} clients of the {SCORED_DAYS} days before were active again {_OVER_THE_DAYS} "
        f"({formatted_percent(share)}).",
    )


def _unknown(*sides: Total) -> str | None:
    """Why the ratio of these sums cannot be told, in words; None when it can."""
    if all(side.known and not side.lacking for side in sides):
        return None
    lacking = sorted({currency for side in sides for currency in side.lacking})
    reasons = [] if all(side.known for side in sides) else [UNKNOWN_LINKS]
    reasons += [_no_rate(lacking)] if lacking else []
    return ", and ".join(reasons)


def _no_rate(currencies: Sequence[str]) -> str:
    return f"no exchange rate for {' and '.join(currencies)}"


def _days(days: Decimal) -> str:
    return f"{rounded(days, PERCENT_PLACES):,f}"
