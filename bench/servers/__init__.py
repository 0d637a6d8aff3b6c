"""The servers under measurement, each a module for `python -m`, each with `--port` and `--series`."""
