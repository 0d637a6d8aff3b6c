"""The catalog: what the process exposes, whether it agrees with itself, and who changed it."""
