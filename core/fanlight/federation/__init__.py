"""Federation: what worker processes answer, read, enriched and merged with what this process has.

Pure functions and values, and the effects by which an engine asks the workers.
"""
