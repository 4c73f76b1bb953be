"""Paper: labels to stick on things, and registers to sign."""
