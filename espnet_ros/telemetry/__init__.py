"""Load, clocks, memory, power and temperature of the machine."""
