"""The rivals: each runs alone in a process, with the Python of its environment."""
