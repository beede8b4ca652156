"""What every request meets: its envelope and query, strict JSON, CORS, problems. Knows no Redis and no tenant."""
