"""Which documents may not be settled, kept so that what is open costs the same however long the history is.

Only of tenants that leave it to Daybook to find out what is open or left over, and that have many allocations.
"""
