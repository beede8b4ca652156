"""How this process talks to Redis and to the workers: in bounded time, tasks by name. Never imports a worker."""
