"""A living market to look at: parties, rights, windows that roll on, and bots that trade through the public API."""
