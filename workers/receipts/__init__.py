"""The documents behind a number: the rows that the facts are made of, one by one instead of in groups."""

from workers.receipts.receipt import make_receipt

__all__ = ["make_receipt"]
