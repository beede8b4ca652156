"""The loops of the change listener: what is due at once, what waits for its turn, and how both get into Celery's queues."""
