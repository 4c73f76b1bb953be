"""Phones at home that ask a server, and one that does nothing but read."""
