"""Random numbers that are a pure function of their keys, in every process."""

_MASK = (1 << 64) - 1


def mix(*keys):
    """Return a well-mixed whole number 0..2**64-1 that depends on all whole numbers in `keys` and their order."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = ((state ^ (key & _MASK)) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


class Dice:
    """A stream of random choices that starts anew for every tuple of whole numbers `keys`."""

    def __init__(self, *keys):
        self._state = mix(*keys)

    def uniform(self, low=0.0, high=1.0):
        """Return a float in [low, high)."""
        self._state = mix(self._state)
        return low + (high - low) * (self._state >> 11) / 9007199254740992.0

    def whole(self, low, high):
        """Return a whole number in low..high, both included."""
        return min(int(self.uniform(low, high + 1)), high)

    def chance(self, probability):
        """Return True with that probability."""
        return self.uniform() < probability

    def pick(self, options):
        """Return one of a sequence of options."""
        return options[self.whole(0, len(options) - 1)]

    def seed(self):
        """Return a seed for numpy's RandomState."""
        self._state = mix(self._state)
        return self._state >> 32
