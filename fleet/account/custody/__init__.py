"""Units from the box they came in to the day they go back: steps, places, receiving, balance, counts, losses."""
