"""From committed row changes to due tenants: which changes wait, who may be computed now, who shares a task.

Plain SQL and Redis; no Celery. The process that uses it is workers/listener.py.
"""
