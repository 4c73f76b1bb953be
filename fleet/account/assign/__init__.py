"""Which unit is meant for which student."""
