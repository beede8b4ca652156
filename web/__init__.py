"""Serves: a read-only Flask app over Redis. Never imports workers, SQLAlchemy or psycopg; never opens PostgreSQL."""
