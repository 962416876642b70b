"""The agent that a supplier runs on its machines. It needs no database and no settings, only the exchange's address and its key."""
