"""Whose database this is, and how its tables become the contract: one file of data for each host product that is known, and
the same for one that is described in a file. Nothing here is applied without being told so."""
