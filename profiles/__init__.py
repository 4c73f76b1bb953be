"""What a device should be: profiles, read from YAML and checked. Knows no device, no database, no terminal."""
