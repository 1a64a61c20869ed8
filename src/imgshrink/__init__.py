"""Shrinks the images of a documentation site once, and only once."""

__version__ = "0.1.0"
