"""The engine that sends images through the TinyJPG HTTP API."""
