"""The dashboard's routes, thin: admit, ask live, answer. No route reads Redis or decides on freshness by itself."""
