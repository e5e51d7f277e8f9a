"""What one view of the street shows, before it is painted."""
import cv2
import numpy as np

_MAX_SHADOW_DISTANCE = 60.0


class Stage:
    """Collects what one view shows: things to paint by distance, and the shadows on the ground."""

    def __init__(self, view, light):
        self.things = []
        self.shadows = []
        self._view = view
        self._light = light
        self._slant = 0.5 * view.camera.width / view.camera.focal

    def add(self, distance, paint):
        """Add a thing; `paint(canvas)` paints it once everything farther away is painted."""
        self.things.append((distance, paint))

    def sees(self, s, d, radius):
        """Whether any of a thing `radius` meters about a place may be in the picture."""
        x, z = self._view.place(s, d)
        return z > -radius and abs(x) - radius < (z + radius) * self._slant

    def shade_box(self, s, d, half_length, half_width, height):
        """Add the shadow of a box that stands on the ground."""
        if s - self._view.s < _MAX_SHADOW_DISTANCE:
            self.shade([(s - half_length, d - half_width), (s - half_length, d + half_width),
                        (s + half_length, d - half_width), (s + half_length, d + half_width)], height)

    def shade(self, footprint, height):
        """Add the shadow of an upright prism over the places (s, d)."""
        shift_d, shift_s = (height * part for part in self._light.shadow)
        if self._light.direct < 0.15:
            shift_d = shift_s = 0.0
        view = self._view
        points = []
        for s, d in footprint:
            for along, aside in ((s, d), (s + shift_s, d + shift_d)):
                x, z = view.place(along, aside)
                points.append(view.project(x, 0.0, max(z, 0.5)))
        self.shadows.append(cv2.convexHull(np.array(points, np.float32)).reshape(-1, 2))
