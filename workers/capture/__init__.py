"""From committed row changes to due tenants: which changes are pending, who waits for a turn, who may be computed now.

Plain SQL and Redis; no Celery. The loops that use it are in workers/loops/.
"""
