"""Reading what is left of damaged bags."""
