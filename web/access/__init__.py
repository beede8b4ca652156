"""Who may come in, how often, and with how many connections. Decides and counts; never serves data."""
