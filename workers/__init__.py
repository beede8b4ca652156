"""Computes: Celery tasks that turn PostgreSQL into snapshots in Redis. Never imports web.

`celery -A workers …` finds the app here; it is made in workers/app.py.
"""
