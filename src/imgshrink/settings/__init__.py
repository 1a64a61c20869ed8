"""The settings: one immutable value, and the source of each part. Importing this package imports nothing slow."""
