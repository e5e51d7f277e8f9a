"""Training datasets with weights, as given on the command line."""
import math

from espnet_ros.datasets import open_dataset
from espnet_ros.errors import ParameterError


def open_source(text):
    """Return (Dataset, weight) of a text such as 'camvid:/data/camvid:train' or 'street:400:640x480@0.5'.

    The weight is how often an epoch uses each image; its default is 1. Raises EspnetError.
    """
    spec, at, weight = text.rpartition('@')
    if not at or not _is_number(weight):  # an @ may be part of a path
        spec, weight = text, '1'
    if not 0 < float(weight) <= 1000:
        raise ParameterError("the weight in '{}' must be above 0 and at most 1000".format(text))
    return open_dataset(spec), float(weight)


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
