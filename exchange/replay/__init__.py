"""Rebuilding: state from the events alone, fills from the journal alone (TRUST E2)."""
