"""ESPNet as in the paper, in pure PyTorch."""
from espnet_ros.network.espnet import DOWNSAMPLING, VARIANTS, NetworkConfig, build, parameter_count

__all__ = ['DOWNSAMPLING', 'VARIANTS', 'NetworkConfig', 'build', 'parameter_count']
