"""Where numbers of such products went wrong in public, case by case and kind by kind, as rows with the right values.

Both calculations show them. Each kind has cases beyond the one that was reported.
"""
