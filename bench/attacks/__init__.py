"""Hostile clients for a server on loopback: each is bounded in time and in what it sends.

`python -m bench.attacks NAME --port N` runs one and prints what came of it;
`bench/hostile.py` runs all of them beside a well-behaved neighbour.
"""
