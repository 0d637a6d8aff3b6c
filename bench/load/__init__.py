"""Load generators: wrk scripts and small clients, each run as a process on the load's core."""
