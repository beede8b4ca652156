"""What a relation of the contract is: where a host has mapped it, it is a view, and nothing can be added to it."""

from alembic import op


def is_table(name: str) -> bool:
    """Whether dashboard.<name> is a table."""
    kind = op.get_bind().exec_driver_sql(
        "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass(%s)", (f"dashboard.{name}",)
    )
    return bool(kind.scalar())
