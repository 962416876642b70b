"""Bots that trade through the public API only. What they decide is pure; what they say goes through `venue`."""
