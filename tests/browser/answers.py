"""Answers of the API as hard cases have them, made up: what a page must be able to show, whatever a business is like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from shared.views import View

TODAY = date(2026, 11, 25)
AT = f"{TODAY}T15:04:05.000Z"
VERSION = "1795641084968529-7"
BUCKETS = ("current", "1-30", "31-60", "61-90", "90+")
PERIODS = (
    "today", "yesterday", "week_to_date", "month_to_date", "last_month", "quarter_to_date", "last_quarter",
    "fiscal_year_to_date", "last_fiscal_year", "last_30_days", "last_12_months",
)  # fmt: skip
NUMBERS = ("revenue", "expenses", "profit", "money_in", "money_out", "cash_flow")
CURRENCIES = (
    "AED AUD BHD BRL CAD CHF CLP CNY CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW KWD MXN NOK NZD PLN SEK SGD THB ZAR"
)


@dataclass(frozen=True, kw_only=True)
class Business:
    """One business. `unit`: its usual amount; everything else is a multiple of it."""

    name: str = "Harbour Lane Studio"
    currency: str = "USD"
    unit: float = 1234.56
    clients: Sequence[str] = ("Riverside Hotel", "Northside Bakery", "Cedar Street Gym", "Harbour Books")
    others: Sequence[str] = ()
    alerts: int = 3
    empty: bool = False
    view: View | None = None

    def amount(self, times: float) -> float:
        """So many times the usual amount, in whole minor units."""
        return round(self.unit * times, {"JPY": 0, "KWD": 3}.get(self.currency, 2))

    def left_out(self) -> list[dict[str, Any]]:
        """What no rate is known for, as each block lists it."""
        return [{"currency": code, "amount": 98765.4, "documents": 3} for code in self.others]


LONG = "Gesellschaft für Internationale Zusammenarbeit und Entwicklung mit beschränkter Haftung & Compagnie"
BUSINESSES = {
    "usual": Business(),
    "huge": Business(unit=1_234_567_890_123.45, clients=("Treasury",) * 4),
    "tiny": Business(unit=0.01, clients=("Corner stall",)),
    "long names": Business(name=LONG, clients=(LONG, LONG.replace(" ", ""), "Ö" * 54)),
    "28 currencies": Business(others=CURRENCIES.split()),
    "right to left": Business(name="شركة الميناء للتجارة", clients=("مكتبة الميناء القديمة", "חברת הספנות")),
    "yen": Business(currency="JPY", unit=123_456),
    "dinar": Business(currency="KWD", unit=1234.567),
    "rupiah": Business(currency="IDR", unit=111_105_000),
    "empty": Business(empty=True, alerts=0),
    "200 alerts": Business(alerts=200),
    "staff": Business(
        view=View(
            name="staff",
            metrics=frozenset({"Pending Invoices", "Overdue Invoices", "Client Activity"}),
            overview=frozenset({"series", "history", "quotes", "top_clients", "expense_categories"}),
            alerts=frozenset({"Overdue Invoices"}),
        )
    ),
}


def _envelope(business: Business) -> dict[str, Any]:
    return {
        "version": VERSION, "stale": False, "user_id": "made-up", "timestamp": AT, "as_of": AT, "computed_at": AT,
        "currency": business.currency, "timezone": "Europe/Berlin", "basis": "accrual",
    }  # fmt: skip


def _metric(business: Business, name: str, unit: str, value: float, **more: Any) -> dict[str, Any]:
    zero = business.empty
    factors = {"sample": 0.8, "day": 0.6, "fx": 0.9 if business.others else 1, "quality": 0.95}
    return {
        "name": name, "value": (None if unit == "ratio" else 0) if zero else value, "unit": unit,
        "previous": 0 if zero else value / 2, "change": 0 if zero else value / 2,
        "change_percent": None if zero else 100.0, "trend": "stable" if zero else "up", "good": None if zero else True,
        "unconverted": business.left_out(), "confidence": 0.5, "confidence_factors": factors, "timestamp": AT, **more,
    }  # fmt: skip


def alerts(business: Business) -> list[dict[str, Any]]:
    """As many as the business has, about few things."""
    metrics = ("Daily Profit", "Overdue Invoices", "Daily Revenue", "Cash Flow", "Quote Conversion", "System")
    levels = ("critical", "warning", "success", "warning", "info", "critical")
    return [
        {
            "id": f"alert-{index}", "level": levels[index % 6], "metric": metrics[index % 6], "action_required": True,
            "message": f"The largest of 8 overdue invoices is INV-{index} of {business.clients[0]}.", "timestamp": AT,
            "state": "open", "raised_at": AT, "acknowledged_at": None, "acknowledged_by": None, "snoozed_until": None,
            "cleared_at": None, **({"provisional": True} if index % 6 == 0 else {}),
        }
        for index in range(business.alerts)
    ]  # fmt: skip


def snapshot(business: Business) -> dict[str, Any]:
    """The answer of realtime/aggregate/."""
    money = business.amount
    parts = ("profitability", "growth", "cash", "pipeline", "clients")
    points = None if business.empty else 50.0
    whole = {
        **_envelope(business), "name": business.name, "local_date": str(TODAY),
        "state": "no_data" if business.empty else "ok", "performance_score": points,
        "data_issues": [
            {"code": "missing_rate", "detail": "", "currency": code, "since": str(TODAY)} for code in business.others[:2]
        ],
        "score": {"value": points, "coverage": 1.0, "components": [
            {"name": name, "weight": 0.2, "value": points and 0.25, "points": points, "reason": "Nothing to go by."}
            for name in parts
        ]},
        "metrics": [
            _metric(business, "Daily Revenue", "money", money(6)), _metric(business, "Daily Expenses", "money", money(-4)),
            _metric(business, "Daily Profit", "money", money(-2.5)), _metric(business, "Cash Flow", "money", money(3)),
            _metric(business, "Pending Invoices", "count", 27, amount=money(40)),
            _metric(business, "Overdue Invoices", "count", 8, amount=money(8)),
            _metric(business, "Quote Conversion", "ratio", 0.5417), _metric(business, "Client Activity", "count", 18),
        ],
        "alerts": alerts(business),
    }  # fmt: skip
    return whole if business.view is None else json.loads(business.view.cut_snapshot(json.dumps(whole).encode()))


def _numbers(business: Business, factor: float, first: date, last: date) -> dict[str, Any]:
    times = {"revenue": 80, "expenses": 45, "profit": 35, "money_in": 70, "money_out": 52, "cash_flow": 18}
    return {"from": str(first), "to": str(last), **{name: business.amount(times[name] * factor) for name in NUMBERS}}


def _period(business: Business, name: str, index: int) -> dict[str, Any]:
    first = TODAY.replace(day=1) if name == "month_to_date" else TODAY - timedelta(days=index)
    before = _numbers(business, 0.9, first - timedelta(days=31), TODAY - timedelta(days=31))
    return {
        "name": name, **_numbers(business, 1 + index / 9, first, TODAY), "previous": before,
        "change_percent": dict.fromkeys(NUMBERS, 11.1), "unconverted": {"revenue": business.left_out()},
    }  # fmt: skip


def _months(business: Business) -> list[dict[str, Any]]:
    months = [TODAY.year * 12 + TODAY.month - 1 - back for back in range(24)]
    return [
        {"month": f"{month // 12}-{month % 12 + 1:02}",
         **{name: business.amount(60 + (month * 7) % 23 * (index + 1)) for index, name in enumerate(NUMBERS[:5])}}
        for month in months
    ]  # fmt: skip


def _receivables(business: Business) -> dict[str, Any]:
    money = business.amount
    due = [str(TODAY - timedelta(days=days)) for days in (103, 40, 3, -9)]
    debtors = [
        {"client_id": f"C-{index}", "name": name, "outstanding": money(9 - index), "overdue": money(4 - index),
         "oldest_due": due[index % 4], "invoices": index + 1}
        for index, name in enumerate(business.clients)
    ]  # fmt: skip
    return {
        "outstanding": money(67), "customer_credit": money(1), "dso_days": 19.5, "debtors": debtors,
        "ageing": [{"bucket": bucket, "count": 4, "amount": money(20 - 3 * index)} for index, bucket in enumerate(BUCKETS)],
        "by_currency": [{"currency": code, "amount": money(9)} for code in (business.currency, *business.others)],
        "unconverted": business.left_out(),
    }  # fmt: skip


def overview(business: Business) -> dict[str, Any]:
    """The answer of overview/."""
    money = business.amount
    days = [TODAY + timedelta(days=offset) for offset in range(-29, 31)]
    blocks = (
        "receivables",
        "customer_credit",
        "series",
        "top_clients",
        "cash_forecast",
        "quotes",
        "expense_categories",
    )
    whole = {
        **_envelope(business), "receivables": _receivables(business), "opening_balance": money(50),
        "series": [
            {"date": str(day), "revenue": None if index == 9 else money(index % 7), "expenses": money(index % 5),
             "cash": money(index % 9 - 4)}
            for index, day in enumerate(days[:30])
        ],
        "history": [], "quotes": {"open_count": 3, "open_amount": money(7), "won": 13, "lost": 11, "conversion": 0.5417},
        "top_clients": [
            {"client_id": f"C-{index}", "name": name, "revenue": money(30 - index), "share": 0.2, "documents": 3}
            for index, name in enumerate(business.clients)
        ],
        "cash_forecast": [
            {"date": str(day), "inflow": money(index % 4), "outflow": money(index % 6), "cumulative": money(40 - index)}
            for index, day in enumerate(days[30:])
        ],
        "expense_categories": [
            {"category": name, "amount": money(9 - index), "share": 0.3, "documents": 4}
            for index, name in enumerate(("Salaries", "Rent", *business.clients[:2]))
        ],
        "unconverted": {block: business.left_out() for block in blocks},
        "periods": [_period(business, name, index) for index, name in enumerate(PERIODS)], "months": _months(business),
    }  # fmt: skip
    return whole if business.view is None else json.loads(business.view.cut_overview(json.dumps(whole).encode()))


def receipt(business: Business, number: str, *, changes: bool = False) -> dict[str, Any]:
    """The answer of receipts/NUMBER/: one page, with one document that has no rate."""
    if changes:
        return _changes(business, receipt(business, number))
    kinds = ("invoice", "payment", "expense", "recurring")
    items = [
        {
            "kind": kinds[index % 4], "id": f"D-{index}", "reference": f"INV-2026-{index:04}",
            "date": str(TODAY + timedelta(days=index % 7)), "due_date": str(TODAY) if index % 2 else None,
            "client": {"id": "C-1", "name": business.clients[index % len(business.clients)]} if index % 4 < 2 else None,
            "vendor": "Landlord & Sons" if index % 4 == 2 else None, "category": ("Salaries", "Rent")[index % 2],
            "amount": business.amount(5 - index), "currency": business.currency,
            "base_amount": business.amount(5 - index),
        }
        for index in range(9)
    ]  # fmt: skip
    items[-1] |= {"currency": "MNT", "amount": 9000, "base_amount": None}
    return {
        "number": number, "version": VERSION, "as_of": AT, "currency": business.currency, "total": business.amount(12),
        "count": len(items), "unconverted": [{"currency": "MNT", "amount": 9000, "documents": 1}], "items": items,
        "next": None,
    }  # fmt: skip


def _changes(business: Business, whole: dict[str, Any]) -> dict[str, Any]:
    """The same documents as what moved the number: one changed, every second one out, the others in."""
    kinds = ["changed", *("out" if index % 2 else "in" for index in range(1, len(whole["items"])))]
    items = [item | {"moved": kind} for item, kind in zip(whole["items"], kinds, strict=True)]
    count = kinds.count
    has_value = whole["number"] in ("pending-invoices", "overdue-invoices", "quote-conversion", "client-activity")
    before = {"from": "2026-10-01", "to": "2026-10-25", "total": business.amount(14), "count": 6}
    return whole | {
        "items": items, "total": business.amount(-2), **({"value": -1} if has_value else {}),
        "moved": {
            "in": {"count": count("in"), "total": business.amount(6)},
            "out": {"count": count("out"), "total": business.amount(-9)},
            "changed": {"count": 1, "total": business.amount(1)},
        },
        "before": before | ({"value": 6} if has_value else {}),
    }  # fmt: skip
