"""Models: cards, weights, lookup by name, download."""
from espnet_ros.models.add import add, remove
from espnet_ros.models.catalog import (
    ADDED,
    CACHED,
    DEFAULT,
    NOT_FETCHED,
    SHIPPED,
    Entry,
    Model,
    added_directory,
    available,
    cache_directory,
    card_for_speed,
    config_directory,
    entry,
    find,
    load,
    load_for_speed,
    models_directory,
    untrained,
)
from espnet_ros.models.download import fetch

__all__ = [
    'ADDED', 'CACHED', 'DEFAULT', 'NOT_FETCHED', 'SHIPPED', 'Entry', 'Model', 'add', 'added_directory', 'available',
    'cache_directory', 'card_for_speed', 'config_directory', 'entry', 'fetch', 'find', 'load', 'load_for_speed',
    'models_directory', 'remove', 'untrained']
