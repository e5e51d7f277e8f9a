"""What the launch files start, as plain values that need no launch package."""
