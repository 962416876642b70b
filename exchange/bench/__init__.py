"""`manage.py bench`: what this machine does, with the ceilings measured in the same run. Measures, never asserts."""
