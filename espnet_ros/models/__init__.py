"""A model's name to its card and weights, fetched where they are not here."""
from espnet_ros.models.catalog import (
    CACHED,
    DEFAULT,
    NOT_FETCHED,
    SHIPPED,
    Entry,
    Model,
    available,
    cache_directory,
    entry,
    find,
    load,
    models_directory,
)
from espnet_ros.models.download import fetch

__all__ = [
    'CACHED', 'DEFAULT', 'NOT_FETCHED', 'SHIPPED', 'Entry', 'Model', 'available', 'cache_directory', 'entry', 'fetch',
    'find', 'load', 'models_directory']
