"""The live process as relations: tasks, threads, frames, heap, metrics, connections."""
