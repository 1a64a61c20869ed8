"""A pool of worker processes. It knows no codec: what a worker can do is named by the module of tasks."""
