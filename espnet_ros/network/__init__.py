"""The paper's networks in pure PyTorch."""
from espnet_ros.network.configs import BLOCKS, DOWNSAMPLING, VARIANTS, NetworkConfig
from espnet_ros.network.families import DEFAULT, FAMILIES, build, check, configure, count, parameter_count
from espnet_ros.network.family import Family

__all__ = ['BLOCKS', 'DEFAULT', 'DOWNSAMPLING', 'FAMILIES', 'Family', 'NetworkConfig', 'VARIANTS', 'build', 'check',
           'configure', 'count', 'parameter_count']
