"""Proof of behaviour: unit (pure), integration (real PostgreSQL and Valkey), e2e, browser, faults (real processes)."""
