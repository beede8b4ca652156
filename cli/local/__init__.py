"""What bin/run and bin/test need in a clone: environment, embedded servers, supervisor. No production image has it.

Nothing outside this package imports it, but tests and benchmarks.
"""
