"""Fixed transforms of a recording, from its /tf_static."""
import numpy as np

from espnet_ros.errors import ParameterError, quoted
from espnet_ros.ground.pose import CameraPose, quaternion_to_matrix

TF_STATIC = '/tf_static'


class StaticTransforms:
    """The tree of frames in the messages that `add` has taken; where a child comes twice, the last one counts."""

    def __init__(self):
        self._parents = {}

    def add(self, message):
        """Take a tf2_msgs/TFMessage."""
        for one in message.transforms:
            q, t = one.transform.rotation, one.transform.translation
            self._parents[_plain(one.child_frame_id)] = (
                _plain(one.header.frame_id), quaternion_to_matrix(q.x, q.y, q.z, q.w), np.array([t.x, t.y, t.z]))

    def camera(self, base_frame, frame):
        """Return the CameraPose of an optical frame. Raises ParameterError."""
        return CameraPose(*self.between(base_frame, frame))

    def between(self, target, source):
        """Return rotation float64 [3, 3] and translation [3] that take `source` to `target`. Raises ParameterError."""
        target, source = _plain(target), _plain(source)
        up, down = self._to_ancestors(source), self._to_ancestors(target)
        for frame, (rotation, translation) in up.items():  # from `source` to the root: the first in common
            if frame in down:
                turned, moved = down[frame]
                return turned.T.dot(rotation), turned.T.dot(translation - moved)
        raise ParameterError('{} does not connect {} with {}: {}'.format(
            TF_STATIC, quoted(source), quoted(target),
            'it has {}'.format(quoted(', '.join(sorted({*self._parents, *(p[0] for p in self._parents.values())}))))
            if self._parents else 'it is empty'))

    def _to_ancestors(self, frame):
        """Return {ancestor: rotation and translation that take `frame` to it}, from `frame` itself to the root."""
        found = {frame: (np.eye(3), np.zeros(3))}
        rotation, translation = found[frame]
        while frame in self._parents:
            parent, turned, moved = self._parents[frame]
            if turned is None or not np.isfinite(moved).all():
                raise ParameterError('the transform from {} to {} on {} is no rotation and translation'.format(
                    quoted(frame), quoted(parent), TF_STATIC))
            if parent in found:
                raise ParameterError('{} has a loop at {}: each frame must have one parent'.format(
                    TF_STATIC, quoted(parent)))
            rotation, translation = turned.dot(rotation), turned.dot(translation) + moved
            frame = parent
            found[frame] = rotation, translation
        return found


def _plain(frame):
    return frame.lstrip('/')  # as ROS 1 wrote some
