"""How Alembic reaches the database: by the connection that workers/migrate.py hands it."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS dashboard"))
context.configure(connection=connection, version_table="schema_version", version_table_schema="dashboard")
with context.begin_transaction():
    context.run_migrations()
