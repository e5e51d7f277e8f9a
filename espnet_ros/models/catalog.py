"""Lookup of models by name, card or weights file, with verification of their weights."""
import difflib
import os
import typing

from espnet_ros.errors import ModelError
from espnet_ros.labels import CITYSCAPES, UNLABELED
from espnet_ros.models.card import ModelCard, read_card
from espnet_ros.models.checkpoint import MAX_BYTES, load_network, sha256_of
from espnet_ros.models.onnx_file import MAX_BYTES as ONNX_BYTES
from espnet_ros.network import FAMILIES, build, configure

DEFAULT = 'camvid-espnet-q8'
"""Name of the model that is used when none is asked for."""

SHIPPED, ADDED, CACHED, NOT_FETCHED = 'shipped', 'added', 'cached', 'not fetched'

CACHE_REMEDY = 'set ESPNET_ROS_CACHE to a folder in which this user may write'

_CARD_SUFFIXES = ('.yaml', '.yml')


class Model(typing.NamedTuple):
    """A model that can be loaded: its card, and the path of its weights, whose SHA-256 is the card's."""

    card: ModelCard
    weights_path: str


class Entry(typing.NamedTuple):
    """A model that this package knows by name.

    card_path: of the card. state: SHIPPED, ADDED (by this user), CACHED or NOT_FETCHED. weights_path: of the weights,
    '' when NOT_FETCHED.
    """

    card: ModelCard
    card_path: str
    state: str
    weights_path: str


def models_directory() -> str:
    """Return the folder of the models that come with this package: of the checkout, or of the installation.

    An installation is a prefix, a virtual environment's or colcon's, with share/espnet_ros/models somewhere above the
    package. Raises ModelError.
    """
    return _shared_directory('models')


def config_directory() -> str:
    """Return the folder of the configuration files that come with this package. Raises ModelError."""
    return _shared_directory('config')


def _shared_directory(name):
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    above = os.path.dirname(package)
    if os.path.isfile(os.path.join(above, 'package.xml')):
        return os.path.join(above, name)
    while above != os.path.dirname(above):
        folder = os.path.join(above, 'share', 'espnet_ros', name)
        if os.path.isdir(folder):
            return folder
        above = os.path.dirname(above)
    raise ModelError("there is no folder share/espnet_ros/{} above '{}'; install espnet_ros again".format(
        name, package))


def cache_directory() -> str:
    """Return the folder for fetched models: $ESPNET_ROS_CACHE, else espnet_ros in $XDG_CACHE_HOME or ~/.cache.

    It need not exist yet. Raises ModelError when this user has no home.
    """
    own, base = os.environ.get('ESPNET_ROS_CACHE'), os.environ.get('XDG_CACHE_HOME', '')
    if own:
        return os.path.abspath(_expand(own))
    if not os.path.isabs(base):  # such a value is to be ignored, says the XDG specification
        base = os.path.join(_expand('~'), '.cache')
    if not os.path.isabs(base):
        raise ModelError('this user has no home folder to keep models in; ' + CACHE_REMEDY)
    return os.path.join(base, 'espnet_ros')


def added_directory() -> str:
    """Return the folder of this user's own models: $ESPNET_ROS_MODELS, else espnet_ros/models in $XDG_DATA_HOME or
    ~/.local/share.

    It need not exist yet. Raises ModelError when this user has no home.
    """
    own, base = os.environ.get('ESPNET_ROS_MODELS'), os.environ.get('XDG_DATA_HOME', '')
    if own:
        return os.path.abspath(_expand(own))
    if not os.path.isabs(base):
        base = os.path.join(_expand('~'), '.local', 'share')
    if not os.path.isabs(base):
        raise ModelError('this user has no home folder to keep models in; set ESPNET_ROS_MODELS to a folder')
    return os.path.join(base, 'espnet_ros', 'models')


def available():
    """Return an Entry for every model known by name, in the order of names. Raises ModelError.

    Damaged cards among the user's own are left out: they must not take the others with them.
    """
    folder = models_directory()
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_CARD_SUFFIXES))
    except OSError as error:
        raise ModelError("cannot read the folder of models '{}': {}".format(folder, error.strerror or error))
    found = {e.card.name: e for e in _added()}
    found.update((e.card.name, e) for e in (_entry(os.path.join(folder, name)) for name in names))
    return [found[name] for name in sorted(found)]


def _added():
    try:
        folder = added_directory()
        names = os.listdir(folder)
    except (ModelError, OSError):
        return
    for name in names:
        if name.endswith(_CARD_SUFFIXES):
            path = os.path.join(folder, name)
            try:
                card = read_card(path)
            except ModelError:
                continue
            if os.path.isfile(_beside(card, path)):
                yield Entry(card, path, ADDED, _beside(card, path))


def entry(name: str) -> Entry:
    """Return the Entry of that name; ModelError suggests similar names."""
    known = {e.card.name: e for e in available()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 3, 0.5)
    raise ModelError("no model is called '{}'{}; known are {}; or give the path of a model card (.yaml) or weights "
                     'file'.format(name, ' (did you mean {}?)'.format(' or '.join(near)) if near else '',
                                   ', '.join(known) or 'none'))


def find(name_or_path: str) -> Model:
    """Return the Model of a known name, of a model card (.yaml), or of a weights file.

    A card's weights lie beside it; those of a known model may be in the cache. A weights file is known by its SHA-256,
    whatever it is called, or by a card of the same stem beside it. Raises ModelError, also when the weights are not
    those of the card.
    """
    text = str(name_or_path)
    path = _expand(text)
    if any(text == e.card.name for e in available()) or not _is_path(path):
        return _verified(entry(text))
    if not os.path.isfile(path):
        raise ModelError("'{}' is {}; give a model's name (espnet-ros models list), model card (.yaml) or weights file"
                         .format(path, 'a folder' if os.path.isdir(path) else 'no file'))
    return _by_card(path) if path.endswith(_CARD_SUFFIXES) else _by_weights(path)


def load(model):
    """Return the network of a Model in evaluation mode. Raises ModelError."""
    return load_network(model.card.architecture, model.weights_path)


def card_for_speed(name_or_path):
    """Return (card, whether there are weights): as `load_for_speed`, without the network. Raises ModelError."""
    text = str(name_or_path)
    known = next((e for e in available() if e.card.name == text), None)
    if known is not None:
        return known.card, known.state != NOT_FETCHED
    if text in FAMILIES and not os.path.exists(text):
        return untrained(text), False
    path = _expand(text)
    if path.endswith(_CARD_SUFFIXES) and os.path.isfile(path):
        card = read_card(path)
        if not os.path.isfile(_beside(card, path)) and all(e.card.sha256 != card.sha256 for e in available()):
            return card, False
    return find(name_or_path).card, True


def load_for_speed(name_or_path):
    """Return (card, network, 'its own' or 'random'): speed does not depend on the weights.

    name_or_path: as for `find`, and also a model whose weights were not fetched, a card without weights beside it, and
    the name of a family of networks, which stands for the network of its paper with 20 classes at 1024x512. Raises
    ModelError.
    """
    card, has_weights = card_for_speed(name_or_path)
    if not has_weights:
        return card, build(card.architecture).eval(), 'random'
    model = find(name_or_path)
    return model.card, load(model), 'its own'


def untrained(family, **fields):
    """Return a card for the network of a family, for Cityscapes, without weights.

    fields: of its configuration, where they are not the defaults. Raises ModelError.
    """
    architecture = configure(family, fields)
    outputs = (CITYSCAPES.ids + (UNLABELED,) * 256)[:architecture.classes]
    return ModelCard(
        name=family, description='not trained', architecture=architecture, label_set=CITYSCAPES, outputs=outputs,
        input_width=1024, input_height=512, mean=(72.39, 82.91, 73.16), std=(45.32, 46.15, 44.91), divisor=255.0,
        license='', source='', training={}, results={}, weights=family + '.pth', sha256='0' * 64)


def _is_path(path):
    return os.sep in path or path.endswith(_CARD_SUFFIXES + ('.pth', '.pt', '.onnx')) or os.path.isfile(path)


def _expand(path):
    try:
        return os.path.expanduser(path)
    except KeyError:  # Python 3.6 for a user that /etc/passwd does not name
        return path


def _entry(card_path):
    card = read_card(card_path)
    beside = _beside(card, card_path)
    if os.path.isfile(beside):
        return Entry(card, card_path, SHIPPED, beside)
    try:
        cached = os.path.join(cache_directory(), card.weights)
    except ModelError:
        cached = ''  # nothing can have been fetched; shipped models work all the same
    if os.path.isfile(cached):
        return Entry(card, card_path, CACHED, cached)
    return Entry(card, card_path, NOT_FETCHED, '')


def _beside(card, card_path):
    return os.path.join(os.path.dirname(card_path), card.weights)


def _verified(known):
    fetch = 'espnet-ros models fetch ' + known.card.name
    if known.state == NOT_FETCHED:
        raise ModelError('the weights of {} are not on this machine; fetch them: {}'.format(known.card.name, fetch))
    return _checked(known.card, known.weights_path, {
        CACHED: 'fetch them again: ' + fetch, ADDED: 'add the model again', SHIPPED: 'install espnet_ros again'}[
            known.state])


def _checked(card, weights_path, remedy):
    actual = sha256_of(weights_path)
    if actual != card.sha256:
        raise ModelError("the weights '{}' are damaged or another model's: their SHA-256 is {}, that of {} is {}; {}"
                         .format(weights_path, actual, card.name, card.sha256, remedy))
    return Model(card, weights_path)


def _by_card(path):
    card = read_card(path)
    weights_path = _beside(card, path)
    if not os.path.isfile(weights_path):
        known = [e for e in available() if e.card.sha256 == card.sha256]
        if not known:
            raise ModelError("the model card '{}' has no weights beside it; put '{}' there".format(path, card.weights))
        weights_path = _verified(known[0]).weights_path
    return _checked(card, weights_path, 'use files that belong together')


def _by_weights(path):
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise ModelError("cannot read the weights '{}': {}".format(path, error.strerror or error))
    limit = ONNX_BYTES if path.endswith('.onnx') else MAX_BYTES
    if size > limit:
        raise ModelError("the weights '{}' have {} MB; no ESPNet is larger than {}".format(
            path, size >> 20, limit >> 20))
    actual = sha256_of(path)
    for known in available():
        if known.card.sha256 == actual:
            return Model(known.card, path)
    card_path = os.path.splitext(path)[0] + '.yaml'
    if not os.path.isfile(card_path) and path.endswith('.onnx'):
        raise ModelError("the network '{0}' is no known model; add it, and give its name from then on: espnet-ros "
                         "models add '{0}'".format(path))
    if not os.path.isfile(card_path):
        raise ModelError("the weights '{}' (SHA-256 {}) are no known model's; put their model card beside them as '{}'"
                         .format(path, actual, os.path.basename(card_path)))
    return _checked(read_card(card_path), path, 'use the card that belongs to them')
