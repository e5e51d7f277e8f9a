"""Engines: ways to execute a deployed network."""
from espnet_ros.engine.base import BACKENDS, OUTPUT_SIZES, PRECISIONS, UPSAMPLINGS, Engine, EngineInfo
from espnet_ros.engine.select import build_engine

__all__ = ['BACKENDS', 'OUTPUT_SIZES', 'PRECISIONS', 'UPSAMPLINGS', 'Engine', 'EngineInfo', 'build_engine']
