"""Many units, who has them and what happened to them: the registry and its ledger."""

VERSION = "0.1.0"
"""Of this program, as its package has it."""
