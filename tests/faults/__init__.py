"""What is broken on purpose: processes killed between statements and under load, doubled bells, zombies, deadlocks (docs/faults.md)."""
