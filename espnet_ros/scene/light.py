"""Daylight: how bright each side of a thing is, how shadows fall, how the camera develops the picture."""
import cv2
import numpy as np

from espnet_ros.scene.dice import mix

SKIES = ('clear', 'cloudy', 'overcast', 'hazy', 'evening')


class Light:
    """The light of one street, and the tone, blur, vignette and noise of its camera."""

    def __init__(self, dice, camera):
        self.sky = dice.pick(SKIES)
        self.direct = {'clear': 0.55, 'cloudy': 0.4, 'overcast': 0.08, 'hazy': 0.2, 'evening': 0.5}[self.sky]
        self.ambient = 1.0 - 0.5 * self.direct
        elevation = dice.uniform(0.25, 0.5) if self.sky == 'evening' else dice.uniform(0.6, 1.2)
        azimuth = dice.uniform(-np.pi, np.pi)
        self.sun = (np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth))
        self.shadow = (-self.sun[0] / self.sun[1], -self.sun[2] / self.sun[1])
        self.haze_color = {'clear': (225, 205, 185), 'cloudy': (220, 212, 205), 'overcast': (205, 203, 200),
                           'hazy': (222, 222, 222), 'evening': (175, 195, 225)}[self.sky]
        self.haze_distance = dice.uniform(120, 250) if self.sky == 'hazy' else dice.uniform(300, 900)
        self._tone = self._build_tone(dice)
        self._blur = dice.pick(((3, 3), (3, 3), (3, 1), (1, 3), None))
        self._grain = dice.uniform(1.0, 7.0)
        self._margin = 64
        self._build_film(dice, camera)
        self._key = dice.seed()

    def _build_tone(self, dice):
        """Table from a painted color to a developed one: uint8 [1, 256, 3]."""
        warmth = dice.uniform(-0.07, 0.07) + (0.06 if self.sky == 'evening' else 0.0)
        tint = dice.uniform(-0.02, 0.02)
        gain = np.array([1 - warmth, 1 + tint, 1 + warmth]) * dice.uniform(0.9, 1.2)
        gamma, contrast, lift = dice.uniform(0.7, 1.1), dice.uniform(0.8, 1.1), dice.uniform(-4, 14)
        ramp = (np.arange(256)[:, None] / 255.0) ** gamma * gain
        ramp = (ramp - 0.45) * contrast + 0.45
        return np.clip(ramp * 255 + lift, 0, 255).astype(np.uint8).reshape(1, 256, 3)

    def _build_film(self, dice, camera):
        rng = np.random.RandomState(dice.seed())
        h, w = camera.height, camera.width
        noise = rng.standard_normal((h + self._margin, w + self._margin, 3)).astype(np.float32) * self._grain
        self._bright = np.clip(noise, 0, 255).astype(np.uint8)
        self._dark = np.clip(-noise, 0, 255).astype(np.uint8)
        y = (np.arange(h, dtype=np.float32)[:, None] - h / 2) / max(h, w) * 2
        x = (np.arange(w, dtype=np.float32)[None] - w / 2) / max(h, w) * 2
        self._vignette = cv2.merge([((x * x + y * y) * dice.uniform(0, 28)).astype(np.uint8)] * 3)

    def shade(self, normal):
        """Brightness of a face with that normal (x right, y up, z along the road)."""
        facing = sum(a * b for a, b in zip(normal, self.sun))
        return self.ambient * (0.86 + 0.14 * normal[1]) + self.direct * max(facing, 0.0)

    def lit(self, color, normal):
        """Color (B, G, R) of a face with that normal."""
        shade = self.shade(normal)
        return tuple(int(min(c * shade, 255)) for c in color[:3])

    def haze(self, color, distance):
        """Color (B, G, R) seen through that much air."""
        share = min(distance / self.haze_distance, 1.0) * 0.7
        return tuple(int(c + (h - c) * share) for c, h in zip(color, self.haze_color))

    def develop(self, canvas, time):
        """Return the camera's picture of painted pixels uint8 [H, W, 4]: BGR uint8 [H, W, 3]."""
        image = cv2.cvtColor(canvas, cv2.COLOR_BGRA2BGR)
        if self._blur:
            image = cv2.GaussianBlur(image, self._blur, 0)
        image = cv2.LUT(image, self._tone)
        cv2.subtract(image, self._vignette, image)
        h, w = image.shape[:2]
        key = mix(self._key, int(round(time * 1e4)))
        for shift, operation, noise in ((0, cv2.add, self._bright), (16, cv2.subtract, self._dark)):
            y, x = (key >> shift) % self._margin, (key >> (shift + 8)) % self._margin
            operation(image, noise[y:y + h, x:x + w], image)
        return image
