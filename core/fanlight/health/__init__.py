"""What a process is able to do: conditions, checks, liveness, leadership.  Nothing here waits or sends."""
