"""A tenant's id that no token and no address can name is refused where it is entered."""

from alembic import op

from shared.tenant_ids import servable_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Its name is what whoever enters the row reads.
CONSTRAINT = "tenant_id_has_1_to_255_visible_characters_and_no_slash"
IS_TABLE = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('dashboard.tenant')"


def upgrade() -> None:
    """Refuse them, unless the host has put a view in the table's place; bin/dash check tells of those that are there."""
    connection = op.get_bind()
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if connection.exec_driver_sql(IS_TABLE).scalar_one():
        can_be_served = servable_sql("tenant_id::text", encoding=encoding)
        connection.exec_driver_sql(
            f"ALTER TABLE dashboard.tenant ADD CONSTRAINT {CONSTRAINT} CHECK ({can_be_served}) NOT VALID"
        )


def downgrade() -> None:
    """Accept any again."""
    if op.get_bind().exec_driver_sql(IS_TABLE).scalar_one():
        op.execute(f"ALTER TABLE dashboard.tenant DROP CONSTRAINT IF EXISTS {CONSTRAINT}")
