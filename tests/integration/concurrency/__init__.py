"""A limit of concurrency: who runs, who waits, and who is the next."""
