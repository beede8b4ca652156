"""Pure functions from facts to snapshot, one file per family. No I/O, no clock, no settings; imports the standard
library, workers.facts, shared.snapshot (and msgspec's UNSET, with which its types are written) and shared.currency only."""
