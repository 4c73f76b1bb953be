"""A generated registry as large as a country's: units, students, SIMs and what happened to them, made from a seed."""
