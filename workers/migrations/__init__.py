"""Alembic migrations of the schema `dashboard`; run by `bin/dash migrate`."""
