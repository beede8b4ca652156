"""Everything about alerts: routes, notification socket, and what it still has to be told. Only tasks change an alert."""
