"""Tests of workers/kpi with literal facts: no database, no clock."""
