"""What one worker process may take of a machine: the pool enforces it, the default of `jobs` counts with it."""

from __future__ import annotations

WORKER_MEMORY = 1536 * 1024 * 1024
"""Bytes of memory that one worker may take, where the system can enforce it (Linux)."""
