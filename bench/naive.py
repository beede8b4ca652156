"""The dashboard as it is written first: a dozen ORM queries for each tenant, one after the other, into Redis.

What `bench.recalculate` compares with. It is generous to it: no rates, no cash basis, no credit notes, refunds or partial
allocations, no day other than UTC's, no alerts, forecast, months or comparison, and nothing that guards against others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from multiprocessing import get_context
from typing import Any

import redis
from sqlalchemy import ColumnElement, Engine, MetaData, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

PROCESSES = 2


class _Base(DeclarativeBase):
    metadata = MetaData(schema="dashboard")


class _Tenant(_Base):
    __tablename__ = "tenant"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    base_currency: Mapped[str]


class _Invoice(_Base):
    __tablename__ = "invoice"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str | None]
    status: Mapped[str]
    issue_date: Mapped[date]
    due_date: Mapped[date | None]
    total: Mapped[Decimal]
    tax: Mapped[Decimal | None]
    balance: Mapped[Decimal | None]


class _Payment(_Base):
    __tablename__ = "payment"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    paid_on: Mapped[date]
    amount: Mapped[Decimal]


class _Expense(_Base):
    __tablename__ = "expense"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    expense_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    expense_date: Mapped[date]
    category: Mapped[str | None]
    total: Mapped[Decimal]


class _Quote(_Base):
    __tablename__ = "quote"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    decided_on: Mapped[date | None]
    total: Mapped[Decimal]


def naive_rate(database_url: str, redis_url: str, tenant_ids: Sequence[str]) -> float:
    """Tenants a second that two processes compute so."""
    shares = [list(tenant_ids[place::PROCESSES]) for place in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        warm = [share[:20] for share in shares]
        list(pool.map(_compute_all, [database_url] * PROCESSES, [redis_url] * PROCESSES, warm))
        started = time.perf_counter()
        list(pool.map(_compute_all, [database_url] * PROCESSES, [redis_url] * PROCESSES, shares))
        return len(tenant_ids) / (time.perf_counter() - started)


@cache
def _servers(database_url: str, redis_url: str) -> tuple[Engine, redis.Redis]:
    return create_engine(database_url), redis.Redis.from_url(redis_url)


def _compute_all(database_url: str, redis_url: str, tenant_ids: Sequence[str]) -> None:
    engine, client = _servers(database_url, redis_url)
    for tenant_id in tenant_ids:
        with Session(engine) as session:
            body = json.dumps(_dashboard(session, tenant_id), default=str)
        client.set(f"naive:{tenant_id}", body)
        client.publish("naive", tenant_id)


def _dashboard(session: Session, tenant_id: str) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    yesterday, month_ago, quarter_ago = (today - timedelta(days=days) for days in (1, 30, 90))
    tenant = session.get_one(_Tenant, tenant_id)

    def posted(table: Any) -> tuple[ColumnElement[bool], ...]:
        return table.tenant_id == tenant_id, table.status == ("succeeded" if table is _Payment else "posted")

    def total(amount: Any, table: Any, day: ColumnElement[bool]) -> Decimal:
        return session.scalar(select(func.coalesce(func.sum(amount), 0)).where(*posted(table), day)) or Decimal()

    net = _Invoice.total - func.coalesce(_Invoice.tax, 0)
    revenue = [total(net, _Invoice, _Invoice.issue_date == day) for day in (today, yesterday)]
    expenses = [total(_Expense.total, _Expense, _Expense.expense_date == day) for day in (today, yesterday)]
    received = [total(_Payment.amount, _Payment, _Payment.paid_on == day) for day in (today, yesterday)]
    unpaid = session.scalars(select(_Invoice).where(*posted(_Invoice), _Invoice.balance > 0)).all()
    overdue = [invoice for invoice in unpaid if invoice.due_date and invoice.due_date < today]
    quotes = session.scalars(select(_Quote).where(_Quote.tenant_id == tenant_id, _Quote.decided_on > month_ago)).all()
    clients = session.scalar(
        select(func.count(_Invoice.client_id.distinct())).where(*posted(_Invoice), _Invoice.issue_date > month_ago)
    )
    series = session.execute(
        select(_Invoice.issue_date, func.sum(net))
        .where(*posted(_Invoice), _Invoice.issue_date > month_ago)
        .group_by(_Invoice.issue_date)
    ).all()
    top = session.execute(
        select(_Invoice.client_id, func.sum(net).label("amount"))
        .where(*posted(_Invoice), _Invoice.issue_date > quarter_ago)
        .group_by(_Invoice.client_id).order_by(func.sum(net).desc()).limit(5)
    ).all()  # fmt: skip
    return {
        "user_id": tenant_id,
        "name": tenant.name,
        "revenue": revenue,
        "expenses": expenses,
        "profit": [earned - spent for earned, spent in zip(revenue, expenses, strict=True)],
        "received": received,
        "pending": [len(unpaid), sum(invoice.balance or 0 for invoice in unpaid)],
        "overdue": [len(overdue), sum(invoice.balance or 0 for invoice in overdue)],
        "conversion": sum(quote.status == "accepted" for quote in quotes) / len(quotes) if quotes else None,
        "active_clients": clients,
        "series": [[day, amount] for day, amount in series],
        "top_clients": [[client_id, amount] for client_id, amount in top],
    }
