"""What each statement counts and how it groups it: the facts themselves, before any metric is computed from them."""
