"""From Redis to every client of this process: what it holds, how fresh that is, when a client must go. No routes here."""
