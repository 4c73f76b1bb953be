"""Releases: numbered, signed, content-addressed bundles of resolved profiles and the files that they name."""
