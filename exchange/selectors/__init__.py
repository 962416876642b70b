"""Reads: one question, one statement, rows out. Nothing here changes anything."""
