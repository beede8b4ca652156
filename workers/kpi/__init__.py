"""Pure functions from facts to snapshot, one file per family. No I/O, no clock, no settings; imports the standard
library, workers.facts, shared.snapshot (and msgspec, with which types are written) and shared.currency only.

Types of which each computation makes some are structs of msgspec: frozen dataclasses cost more to make.
"""
