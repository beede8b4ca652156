"""What the processes must agree on: settings, wire types, Redis keys, errors.

Imports neither web nor workers, neither Flask, Celery tasks nor SQL.
"""
