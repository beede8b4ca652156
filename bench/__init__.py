"""Measurements, run by hand: side by side in one run, because machines are noisy. Never part of the tests."""
