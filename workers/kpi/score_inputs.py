"""The raw values of the score, each with a sentence about it. Source: SPEC 4, Performance score."""

from __future__ import annotations

from decimal import Decimal

from workers.facts import TenantFacts
from workers.kpi.days import Period, complete
from workers.kpi.flows import Flow
from workers.kpi.money import PERCENT_PLACES, formatted_percent, rounded, trim
from workers.kpi.quotes import Quotes
from workers.kpi.receivables import Receivables
from workers.kpi.score import ScoreInput, ScoreInputs
from workers.kpi.sums import Sums

SCORED_DAYS = 30
LEAST_DECIDED_QUOTES = 3
_OVER_THE_DAYS = f"over the last {SCORED_DAYS} complete days"
NO_RATE = f"No data: no exchange rate for the amounts {_OVER_THE_DAYS}."


def score_inputs(facts: TenantFacts, sums: Sums) -> ScoreInputs:
    """Flows over 30 complete days, collections and pipeline as of now."""
    today = facts.clock.today
    now, before = complete(today, SCORED_DAYS), complete(today, SCORED_DAYS, skip_days=SCORED_DAYS)
    return ScoreInputs(
        profitability=_profitability(sums, now),
        growth=_growth(sums.revenue, now, before),
        cash=_cash(sums, now),
        overdue_share=_overdue_share(sums.receivables),
        days_over_terms=_days_over_terms(sums.receivables),
        pipeline=_pipeline(sums.quotes),
        clients=_clients(facts),
    )


def _profitability(sums: Sums, period: Period) -> ScoreInput:
    earned, spent = sums.revenue.total(period).value, sums.expenses.total(period).value
    if earned is None or spent is None:
        return ScoreInput(None, NO_RATE)
    if trim(earned) <= 0:
        return ScoreInput(None, f"No data: no revenue {_OVER_THE_DAYS}.")
    margin = (earned - spent) / earned
    return ScoreInput(margin, f"Profit was {formatted_percent(margin)} of revenue {_OVER_THE_DAYS}.")


def _growth(revenue: Flow, period: Period, before: Period) -> ScoreInput:
    now, earlier = revenue.total(period).value, revenue.total(before).value
    if now is None or earlier is None:
        return ScoreInput(None, NO_RATE)
    if trim(earlier) <= 0:
        return ScoreInput(None, f"No data: no revenue in the {SCORED_DAYS} days before to compare with.")
    growth = (now - earlier) / earlier
    side = "below" if growth < 0 else "above"
    return ScoreInput(
        growth,
        f"Revenue {_OVER_THE_DAYS} was {formatted_percent(abs(growth))} {side} that of the {SCORED_DAYS} days before.",
    )


def _cash(sums: Sums, period: Period) -> ScoreInput:
    money_in, paid = sums.cash.money_in.total(period).value, sums.cash.money_out.total(period).value
    if money_in is None or paid is None:
        return ScoreInput(None, NO_RATE)
    money_out = -paid
    larger = max(money_in, money_out)
    if trim(larger) <= 0:
        return ScoreInput(None, f"No data: no money came in or went out {_OVER_THE_DAYS}.")
    ratio = (money_in - money_out) / larger
    side = "less came in than went out" if ratio < 0 else "more came in than went out"
    return ScoreInput(ratio, f"{formatted_percent(abs(ratio))} {side} {_OVER_THE_DAYS}, as a share of the larger.")


def _overdue_share(now: Receivables) -> ScoreInput:
    outstanding, overdue = now.open.value, now.overdue.value
    if outstanding is None or overdue is None:
        return ScoreInput(None, "No data on overdue amounts: no exchange rate for them.")
    if trim(outstanding) <= 0:
        return ScoreInput(None, "No data on overdue amounts: nothing is outstanding.")
    share = overdue / outstanding
    return ScoreInput(share, f"{formatted_percent(share)} of what is outstanding is overdue.")


def _days_over_terms(now: Receivables) -> ScoreInput:
    if now.dso_days is None:
        return ScoreInput(
            None, "No data on days to payment: nothing billed in the last 90 days that could be converted."
        )
    if now.terms_days is None:
        return ScoreInput(None, "No data on days over terms: no invoice of the last 90 days has a due date.")
    days = now.dso_days - now.terms_days
    return ScoreInput(
        days,
        f"Billing stays unpaid for {_days(now.dso_days)} days, {_days(abs(days))} "
        f"{'less' if days < 0 else 'more'} than the agreed {_days(now.terms_days)}.",
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


def _days(days: Decimal) -> str:
    return f"{rounded(days, PERCENT_PLACES):,f}"
