"""What counting alone says of the paper's numbers: parameters, sizes, receptive fields."""
import functools

from espnet_ros.network import count, parameter_count

MODULE, STANDARD = 'ESP module', 'standard convolution'
WIDTH, DIVIDER = 128, 4
"""M = N and K of the example in section 3.1."""


@functools.lru_cache(maxsize=None, typed=True)  # configurations of two families may be equal tuples
def parameters(architecture):
    """Return the number of learned values of an architecture."""
    return count(architecture)


def counted(row, networks):
    """Return our number for a Row of the level counts, None where there is none.

    networks: name to expected.Network.
    """
    if row.subject == MODULE:
        return _module(row)
    if row.network is None or (row.quantity.name == 'fewer parameters' and not row.other):
        return None  # the network itself, or the one before it, is not in this package
    own = parameters(row.network.architecture)
    return {
        'parameters': lambda: own / 1e6, 'size': lambda: 4 * own / 1e6,
        'fewer parameters': lambda: parameters(networks[row.other].architecture) / own}[row.quantity.name]()


def wrong_counts(networks):
    """Return a sentence for each network that has not the parameters of its publication."""
    found = ((network, parameters(network.architecture)) for network in networks)
    return ['{} has {:,} parameters instead of {:,}'.format(network.name, own, network.parameters)
            for network, own in found if own != network.parameters]


def _module(row):
    from torch import nn  # takes seconds, which --help does not have

    from espnet_ros.network.modules import ESP, convolution
    module = ESP(WIDTH, WIDTH, DIVIDER)
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    if row.quantity.name == 'receptive field':
        return max((m.kernel_size[0] - 1) * m.dilation[0] + 1 for m in convolutions)
    own = sum(map(parameter_count, convolutions))
    return parameter_count(convolution(WIDTH, WIDTH, 3)) / own
