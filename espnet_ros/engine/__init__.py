"""Ways to execute a deployed network."""
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.select import BACKENDS, PRECISIONS, build_engine

__all__ = ['BACKENDS', 'PRECISIONS', 'Engine', 'EngineInfo', 'build_engine']
