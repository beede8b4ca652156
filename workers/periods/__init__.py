"""Totals of past days, kept so that periods cost the same however long the history is: made, mended and read here.

The days that a load reads anyway are not looked up here: only what is older than they are.
"""
