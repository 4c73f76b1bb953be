"""What hub and site say to each other, over the two pipes that SSH lays."""
