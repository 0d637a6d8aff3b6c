"""Benchmarks of fanlight beside its peers: one command, `python -m bench`, one table.

Nothing here is imported by the product, and nothing is sent anywhere but to
loopback addresses.  `bench/README.md` says how the figures are made.
"""
