"""Copies of the tables of host products, with rows of every kind whose figures were worked out by hand."""
