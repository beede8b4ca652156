"""Runs tests on other days, in other zones and languages than today's and here: see docs/testing.md."""

# The moment (UTC) at which a process of tests.clocks.travel begins.
TRAVEL_TO = "DAYBOOK_TEST_CLOCK"
