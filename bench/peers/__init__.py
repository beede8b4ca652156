"""Daybook beside servers that a competent user would write for the same job in other frameworks."""
