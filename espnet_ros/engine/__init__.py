"""Engines: ways to execute a deployed network."""
from espnet_ros.engine.base import BACKENDS, PRECISIONS, Engine, EngineInfo
from espnet_ros.engine.select import build_engine

__all__ = ['BACKENDS', 'PRECISIONS', 'Engine', 'EngineInfo', 'build_engine']
