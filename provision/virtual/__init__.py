"""Virtual devices that speak the real wire protocols. Imports nothing else of this project."""
