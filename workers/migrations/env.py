"""How Alembic reaches the database: by the connection that workers/migrate.py hands it."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# Asked first: CREATE SCHEMA needs its right even where IF NOT EXISTS finds that there is nothing to do.
if not connection.execute(text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'dashboard')")).scalar_one():
    connection.execute(text("CREATE SCHEMA dashboard"))
context.configure(connection=connection, version_table="schema_version", version_table_schema="dashboard")
with context.begin_transaction():
    context.run_migrations()
