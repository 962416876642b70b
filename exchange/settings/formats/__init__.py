"""How moments are written for people: one way, to the second, UTC."""
