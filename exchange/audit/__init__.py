"""Every promise of TRUST.md as a question to the database (docs/invariants.md)."""
