"""From source files to outcomes: inspect, group by content, resolve, verify, decide, place."""
