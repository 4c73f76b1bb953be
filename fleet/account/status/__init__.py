"""How many units where, what is wrong with them, what changed; units one by one."""
