"""Many units, who has them and what happened to them: the registry and its ledger."""
