"""The distance of every painted pixel, kept beside the canvas as one plane a surface."""
import numpy as np


class DepthSheet:
    """Which plane each pixel of a canvas shows.

    The inverse depth of a plane is affine in pixel coordinates: 1 / z = a u + b v + c. Each surface keeps a, b, c and
    the range of 1 / z between its corners, so that a pixel cut by an edge never extrapolates. Surface 0 is the sky.

    `index` is int32 [H, W]: the surface of each pixel; the canvas paints `number` into it.
    """

    def __init__(self, camera):
        self._camera = camera
        self.index = np.zeros((camera.height, camera.width), np.int32)
        self.clear()

    def clear(self):
        """Forget all surfaces; the next are of another picture."""
        self.index[:] = 0
        self.number = 0
        self._surfaces = [(0.0, 0.0, 0.0, 0.0, 0.0)]

    def frontal(self, z):
        """The next strokes paint something upright that faces the camera, z meters ahead."""
        self._add(0.0, 0.0, 1.0 / z, 0.0, 1.0 / z)

    def level(self, y):
        """The next strokes paint level ground at height y (m)."""
        camera = self._camera
        scale = 1.0 / (camera.focal * (camera.mount - y))
        self._add(0.0, scale, -camera.horizon * scale, 0.0, np.inf)

    def face(self, points):
        """The next strokes paint a flat polygon of camera coordinates (x, y, z), z > 0, as of View."""
        camera = self._camera
        points = np.asarray(points, np.float64)
        inverse = 1.0 / points[:, 2]
        low, high = inverse.min(), inverse.max()
        third = len(points) // 3
        a, b, c = points[0], points[third], points[2 * third]
        normal = np.cross(b - a, c - a)
        offset = normal.dot(a - (0.0, camera.mount, 0.0))
        if abs(offset) < 1e-9:  # seen edge on
            self._add(0.0, 0.0, (low + high) / 2, low, high)
            return
        x, y, z = normal / offset
        y = -y  # pixel rows grow downward
        self._add(x / camera.focal, y / camera.focal,
                  z - (x * camera.center_x + y * camera.horizon) / camera.focal, low, high)

    def along(self, start, end, z_start, z_end, breadth):
        """The next strokes paint a limb between two pixels at two depths, `breadth` pixels thick."""
        first, last = 1.0 / z_start, 1.0 / z_end
        u, v = end[0] - start[0], end[1] - start[1]
        scale = (last - first) / max(u * u + v * v, breadth * breadth, 1.0)
        self._add(u * scale, v * scale, first - (start[0] * u + start[1] * v) * scale, min(first, last),
                  max(first, last))

    def sample(self, u, v):
        """Return 1 / z at pixel coordinates (float arrays of one shape within the picture), 0 where there is sky."""
        index = self.index[np.rint(v).astype(np.intp), np.rint(u).astype(np.intp)]
        a, b, c, low, high = np.array(self._surfaces)[index].T
        return np.clip(a * u.T + b * v.T + c, low, high).T

    def depth(self):
        """Return z, the distance (m) along the optical axis: float32 [H, W], inf where there is sky."""
        a, b, c, low, high = np.array(self._surfaces, np.float64).T
        index = self.index
        inverse = a[index] * np.arange(index.shape[1])
        inverse += b[index] * np.arange(index.shape[0])[:, None]
        inverse += c[index]
        inverse = np.clip(inverse, low[index], high[index])
        with np.errstate(divide='ignore'):
            return np.where(inverse > 1e-6, 1.0 / inverse, np.inf).astype(np.float32)

    def _add(self, *surface):
        self.number = len(self._surfaces)
        self._surfaces.append(surface)
