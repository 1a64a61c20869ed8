"""What people read: numbers, lines, blocks and documents, all of them pure functions of outcomes and counts.

Lines come without the name in front, as loggers and notes have it of their own; blocks of several lines have it.
"""
