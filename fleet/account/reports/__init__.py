"""Reports for each level, and what auditors ask for."""
