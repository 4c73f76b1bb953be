"""What every push has, whichever way it goes: its waves and rules, and the record of it."""
