"""What a fault around running nodes is."""
import collections

Fault = collections.namedtuple('Fault', 'run bench parameters')


class Faults(collections.OrderedDict):
    """Name to Fault, in order of definition."""

    def define(self, name, bench='Segmentation', **parameters):
        """Decorator of a generator function of (bench, rng), which breaks something, yields, and mends it.

        It yields how the fault is named: (part, text) of a status in diagnostics, a function that returns whether it is
        named, or None for what is no fault to be named, such as a new image size, and must change nothing for others.
        parameters: of the node, other than the usual ones.
        """
        def add(function):
            self[name] = Fault(function, bench, parameters)
            return function
        return add
