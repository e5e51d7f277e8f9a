"""Training in the two stages of the paper (section 4.1)."""
