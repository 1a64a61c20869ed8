"""The settings: one frozen value, and where each part of it came from. Importing this imports nothing slow."""
