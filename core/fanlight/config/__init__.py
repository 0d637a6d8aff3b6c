"""What a server is told, from Python or from a file: listeners, limits, settings, variables.  Nothing here reads it."""
