"""The page in a real browser, against real processes: PostgreSQL to pixels."""
