"""Profilers: who holds the memory, and what the processor does."""
