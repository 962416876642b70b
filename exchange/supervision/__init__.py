"""A process tree kept alive: parts with names, one log, restarts, an orderly end. Knows nothing of Django."""
