"""What people read: messages, tables and documents. Most of it is pure functions of outcomes and counts.

Single lines come without the name in front, because loggers add it; blocks of several lines have it.
"""
