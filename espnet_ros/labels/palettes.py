"""Palettes other than a label set's own."""
from espnet_ros.labels.label_set import CATEGORIES

_HUES = {
    'void': (120, 120, 120), 'flat': (204, 121, 167), 'construction': (213, 94, 0), 'object': (240, 228, 66),
    'nature': (0, 158, 115), 'sky': (86, 180, 233), 'human': (230, 159, 0), 'vehicle': (0, 114, 178)}
"""Colors that people with any kind of color vision tell apart (Okabe and Ito, 2008), as R, G, B."""
_SHADES = (1.0, 1.24, 1.75, 0.4, 0.62, 1.51, 0.8, 1.15)
"""Lightness of the classes of one category, in their order; found by search for the largest differences."""


def color_blind(label_set):
    """Return the LabelSet with colors that do not rely on telling red from green.

    The hue says the Cityscapes category, the lightness which of its classes; more than eight classes of one category
    share shades.
    """
    seen = dict.fromkeys(range(len(CATEGORIES)), 0)
    classes = []
    for c in label_set.classes:
        shade = _SHADES[seen[c.category] % len(_SHADES)]
        seen[c.category] += 1
        classes.append(c._replace(color=tuple(_shaded(value, shade) for value in _HUES[CATEGORIES[c.category]])))
    return label_set._replace(classes=tuple(classes))


def _shaded(value, shade):
    """Darken a color's value for shade < 1, lighten it toward white for shade > 1."""
    return int(round(value * shade if shade <= 1 else value + (255 - value) * (shade - 1)))


PALETTES = {'own': lambda label_set: label_set, 'color-blind': color_blind}
"""Name of each palette and the function from a LabelSet to one with its colors."""
