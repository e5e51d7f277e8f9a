"""Label images to meters on the ground: scan, grid and labeled clouds."""
