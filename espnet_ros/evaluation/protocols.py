"""Which pixels count."""

PROTOCOLS = {'cityscapes': 'pixels of unlabeled ground truth are ignored',
             'authors': 'predictions on unlabeled ground truth count as false positives'}
"""Name and rule of each protocol; the second is that of ESPNet's authors on CamVid."""


def rows_of(confusion, protocol):
    """Return the rows of a confusion matrix [n + 1, n + 1] that the protocol counts, for the functions of `metrics`."""
    return confusion if protocol == 'authors' else confusion[:-1]
