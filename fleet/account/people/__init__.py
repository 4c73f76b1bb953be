"""Students and who they are: normalised identifiers, keyed hashes, the vault of names."""
