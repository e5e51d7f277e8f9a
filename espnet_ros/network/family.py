"""What a family of networks tells about itself."""
import typing

CLASSES = range(1, 256)
"""Numbers of output channels that a network may have."""


class Family(typing.NamedTuple):
    """A kind of network that a model card can name.

    name: in the card. title: as publications call it. config: NamedTuple class whose fields decide the network's shape;
    it has a field `classes`, and the class attributes or properties `family` (the name) and `stride` (input pixels per
    output pixel, along each side). build: function from such a configuration to an nn.Module. allowed: for each field
    the values that it may have, a tuple or range. source: publication.
    """

    name: str
    title: str
    config: typing.Any
    build: typing.Callable
    allowed: typing.Dict[str, typing.Sequence]
    source: str
