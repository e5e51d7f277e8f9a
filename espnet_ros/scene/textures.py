"""Pictures of surfaces: facades, walls, fences, foliage, the sky."""
import cv2
import numpy as np

from espnet_ros.scene.canvas import Sprite, Texture
from espnet_ros.scene.classes import BUILDING, SKY, VEGETATION

TEXELS = 20
"""Texels per meter of facades, walls and fences."""

WALL_COLORS = ((150, 175, 195), (120, 150, 185), (70, 90, 150), (60, 75, 120), (190, 200, 205), (165, 165, 165),
               (110, 115, 120), (140, 190, 215), (200, 190, 170), (175, 205, 190), (90, 110, 130), (185, 175, 200),
               (215, 222, 228), (75, 80, 85))
GLASS_COLORS = ((75, 62, 50), (60, 55, 52), (95, 82, 66), (45, 42, 40), (120, 105, 85))
LEAF_COLORS = ((45, 105, 70), (40, 85, 55), (50, 120, 100), (60, 100, 85), (35, 70, 50), (45, 115, 120))


def fractal(rng, height, width, coarsest):
    """Smooth noise: float32 [height, width] with mean 0 and deviation about 1, lumps up to `coarsest` pixels."""
    total = np.zeros((height, width), np.float32)
    size, weight = float(coarsest), 1.0
    while size >= 1:
        grid = rng.standard_normal((int(height / size) + 2, int(width / size) + 2)).astype(np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        size, weight = size / 2, weight * 0.65
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def jitter(dice, color, amount):
    """A color near another."""
    shift = dice.uniform(-amount, amount)
    return tuple(int(min(max(c + shift + dice.uniform(-amount, amount) * 0.5, 8), 245)) for c in color)


def texture(picture, label, light, normal):
    """Texture of a float32 [H, W, 3] picture on a face with that normal, ever hazier level by level."""
    shade = light.shade(normal)
    picture = np.clip(picture * shade, 0, 255).astype(np.uint8)
    count = picture.shape[0] * picture.shape[1]
    blue, green, red = (int(c / count) for c in cv2.sumElems(picture)[:3])
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    levels = []
    for distance in (8, 24, 48, 96, 160):
        share = min(distance / light.haze_distance, 1.0) * 0.7
        haze = cv2.addWeighted(ramp, 1 - share, np.full_like(ramp, light.haze_color), share, 0)
        hazy = cv2.LUT(picture, haze)
        levels.append(cv2.merge((hazy, np.full(hazy.shape[:2], label, np.uint8))))
        if min(picture.shape[:2]) > 8:
            picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        else:
            break
    return Texture(tuple(levels), (blue, green, red), label)


def wall_picture(dice, rng, width, height, color, finish):
    """Bare wall of width x height meters: float32 [H, W, 3]."""
    w, h = int(width * TEXELS), int(height * TEXELS)
    picture = np.empty((h, w, 3), np.float32)
    picture[:] = color
    if finish == 'brick':
        rows = cv2.resize(rng.uniform(0.88, 1.08, (h // 4 + 1, w // 8 + 1)).astype(np.float32),
                          ((w // 8 + 1) * 8, (h // 4 + 1) * 4), interpolation=cv2.INTER_NEAREST)[:h, :w]
        rows[::4] *= 1.08
        picture *= rows[..., None]
    elif finish == 'panels':
        step = dice.whole(20, 50)
        picture[::step] *= 0.75
        picture[:, ::step] *= 0.8
    picture *= (1 + 0.05 * fractal(rng, h, w, 64))[..., None]
    picture *= np.linspace(1.05, 0.92, h, dtype=np.float32)[:, None, None]
    return picture


def facade_picture(dice, rng, width, stories, color, finish):
    """House front of `width` meters and `stories` stories of 3 m: float32 [H, W, 3]."""
    height = stories * 3.0 + 0.7
    picture = wall_picture(dice, rng, width, height, color, finish)
    h, w = picture.shape[:2]
    columns = dice.whole(max(2, int(width / 3.6)), max(3, int(width / 2.2)))
    pitch = w / float(columns)
    win_w = pitch * (dice.uniform(0.72, 0.92) if finish == 'glass' else dice.uniform(0.35, 0.62))
    win_h = dice.uniform(1.9, 2.6) if finish == 'glass' else dice.uniform(1.2, 1.9)
    glass, frame = dice.pick(GLASS_COLORS), dice.pick(((225, 228, 230), (200, 200, 200), (60, 60, 60), (90, 110, 130)))
    balconies = dice.chance(0.25)
    for story in range(1, stories):
        floor = h - int(story * 3.0 * TEXELS)
        for column in range(columns):
            x = int((column + 0.5) * pitch - win_w / 2)
            _window(rng, picture, x, floor - int((0.75 + win_h * 0.62) * TEXELS) - 10, int(win_w),
                    int(win_h * TEXELS), glass, frame)
            if balconies and column % 2 == 0:
                cv2.rectangle(picture, (x - 6, floor - 20), (x + int(win_w) + 6, floor), frame, -1)
                cv2.rectangle(picture, (x - 6, floor - 2), (x + int(win_w) + 6, floor + 1), (40, 40, 40), -1)
    _ground_floor(dice, rng, picture, columns, pitch, glass, frame)
    cornice = jitter(dice, color, 40)
    cv2.rectangle(picture, (0, 0), (w, int(dice.uniform(4, 12))), cornice, -1)
    if dice.chance(0.5):
        cv2.rectangle(picture, (0, h - 62), (w, h - 58), cornice, -1)
    picture[:, :2] *= 0.7
    return picture


def _window(rng, picture, x, y, width, height, glass, frame):
    shine = rng.uniform(0.6, 1.7)
    cv2.rectangle(picture, (x - 2, y - 2), (x + width + 2, y + height + 2), frame, -1)
    cv2.rectangle(picture, (x, y), (x + width, y + height), tuple(c * shine for c in glass), -1)
    if rng.uniform() < 0.4:
        drop = int(height * rng.uniform(0.2, 0.9))
        cv2.rectangle(picture, (x, y), (x + width, y + drop), (150 + 60 * rng.uniform(),) * 3, -1)
    cv2.line(picture, (x + width // 2, y), (x + width // 2, y + height), frame, 2)
    cv2.rectangle(picture, (x - 4, y + height + 2), (x + width + 4, y + height + 5), tuple(c * 0.8 for c in frame), -1)


def _ground_floor(dice, rng, picture, columns, pitch, glass, frame):
    h, w = picture.shape[:2]
    kind = dice.pick(('shop', 'shop', 'doors', 'doors', 'garage'))
    sign = (dice.uniform(20, 220), dice.uniform(20, 220), dice.uniform(20, 220))
    if kind == 'shop':
        cv2.rectangle(picture, (4, h - 60), (w - 4, h), tuple(c * 0.6 for c in frame), -1)
        cv2.rectangle(picture, (4, h - 60), (w - 4, h - 48), sign, -1)
        for column in range(columns):
            x = int(column * pitch) + 6
            _window(rng, picture, x, h - 46, int(pitch) - 10, 38, glass, sign)
            cv2.rectangle(picture, (x + 8, h - 56), (x + int(pitch * 0.6), h - 52), (235, 235, 235), -1)
    door = dice.whole(0, columns - 1)
    for column in range(columns):
        x = int((column + 0.5) * pitch)
        if column == door:
            cv2.rectangle(picture, (x - 13, h - 46), (x + 13, h), frame, -1)
            cv2.rectangle(picture, (x - 11, h - 44), (x + 11, h), sign, -1)
        elif kind == 'garage' and pitch > 50:
            cv2.rectangle(picture, (x - 24, h - 44), (x + 24, h), (150, 150, 150), -1)
            for y in range(h - 44, h, 6):
                cv2.line(picture, (x - 24, y), (x + 24, y), (115, 115, 115), 1)
        elif kind != 'shop':
            _window(rng, picture, x - int(pitch * 0.22), h - 46, int(pitch * 0.44), 26, glass, frame)


def fence_picture(dice, rng, width, height):
    """Fence of width x height meters: float32 [H, W, 3]."""
    w, h = int(width * TEXELS * 2), int(height * TEXELS * 2)
    picture = np.empty((h, w, 3), np.float32)
    behind, bar = dice.pick(LEAF_COLORS), dice.pick(((60, 62, 60), (150, 155, 155), (215, 215, 215), (70, 105, 140)))
    picture[:] = behind
    picture *= (0.75 + 0.2 * fractal(rng, h, w, 16))[..., None]
    step = dice.pick((5, 7, 10))
    for x in range(0, w, step):
        picture[:, x:x + max(2, step // 2)] = bar
    for y in (3, h - 10):
        picture[y:y + 4] = tuple(c * 0.85 for c in bar)
    for x in range(0, w, 80):
        picture[:, x:x + 5] = tuple(c * 0.7 for c in bar)
    return picture


def hedge_picture(dice, rng, width, height):
    """Clipped hedge of width x height meters: float32 [H, W, 3]."""
    w, h = int(width * TEXELS), int(height * TEXELS)
    return foliage(rng, h, w, dice.pick(LEAF_COLORS)) * np.linspace(1.2, 0.6, h, dtype=np.float32)[:, None, None]


def foliage(rng, height, width, color):
    """Leaves: float32 [height, width, 3]."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = color
    lumps, leaves = fractal(rng, height, width, 48), fractal(rng, height, width, 6)
    picture *= np.clip(0.95 + 0.16 * lumps + 0.22 * leaves, 0.35, 1.7)[..., None]
    return picture


def tree_sprite(dice, light, kind):
    """Cut-out of a plant, 256 rows high: 'tree', 'conifer' or 'bush'."""
    rng = np.random.RandomState(dice.seed())
    size = 256
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    x = x - 0.5
    rough = fractal(rng, size, size, 40)
    if kind == 'bush':
        crown = (x / 0.46) ** 2 + ((y - 0.62) / 0.58) ** 2 + 0.12 * rough < 0.9
        trunk = np.zeros_like(crown)
    elif kind == 'conifer':
        crown = (np.abs(x) < 0.03 + 0.30 * y * (0.8 + 0.25 * np.abs(np.sin(y * 24))) + 0.015 * rough) & (y < 0.9)
        trunk = (np.abs(x) < 0.03) & (y > 0.85)
    else:
        top = dice.uniform(0.3, 0.4)
        crown = (x / dice.uniform(0.33, 0.46)) ** 2 + ((y - top) / (top - 0.01)) ** 2 + 0.2 * rough < 0.92
        crown |= ((x - 0.08) / 0.22) ** 2 + ((y - top - 0.1) / 0.24) ** 2 + 0.2 * rough < 0.8
        lean = dice.uniform(-0.05, 0.05) * (y - 0.5)
        trunk = (np.abs(x + lean) < 0.016 + 0.012 * y) & (y > top)
    color = jitter(dice, dice.pick(LEAF_COLORS), 14)
    picture = foliage(rng, size, size, color)
    side = x * (1 if light.sun[0] > 0 else -1) - (y - 0.4)
    picture *= np.clip(light.ambient + light.direct * (0.25 + 1.0 * side), 0.5, 1.25)[..., None]
    bark = np.array(dice.pick(((50, 65, 80), (70, 85, 95), (95, 100, 105))), np.float32)
    only_trunk = trunk & ~crown
    near_trunk = cv2.dilate(only_trunk.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~crown
    picture[near_trunk] = bark * (0.75 + 0.15 * rough[near_trunk][:, None]) * light.ambient
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    picture = cv2.merge((picture, np.full((size, size), VEGETATION, np.uint8)))
    mask = (crown | trunk).astype(np.uint8) * 255
    levels, masks = [picture], [mask]
    while levels[-1].shape[0] > 16:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        smaller = cv2.resize(masks[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        masks.append(cv2.threshold(smaller, 100, 255, cv2.THRESH_BINARY)[1])
    return Sprite(tuple(levels), tuple(masks))


def panorama(dice, light, width, height, focal):
    """Sky down to the horizon with far hills and roofs: uint8 [height, width, 4] (B, G, R, class)."""
    rng = np.random.RandomState(dice.seed())
    zenith = {'clear': (215, 150, 85), 'cloudy': (205, 160, 110), 'overcast': (200, 198, 195),
              'hazy': (215, 212, 208), 'evening': (190, 150, 120)}[light.sky]
    up = np.clip(np.linspace(1.4, 0, height, dtype=np.float32) * height / focal * 2.2, 0, 1)[:, None, None]
    picture = np.array(light.haze_color, np.float32) * (1 - up) + np.array(jitter(dice, zenith, 14), np.float32) * up
    picture = np.repeat(picture, width, 1)
    cover = {'clear': 1.5, 'cloudy': 0.1, 'overcast': 0.6, 'hazy': 1.3, 'evening': 0.5}[light.sky]
    lumps = cv2.resize(fractal(rng, max(height // 2, 8), max(width // 6, 8), max(height // 5, 4)), (width, height),
                       interpolation=cv2.INTER_LINEAR)
    cloud = np.clip((lumps - cover) * 0.8, 0, 1)[..., None]
    bright = 185.0 if light.sky == 'overcast' else 238.0
    picture = picture * (1 - 0.85 * cloud) + (bright - 18 * np.clip(lumps[..., None] - 1, 0, 2)) * 0.85 * cloud
    sky = cv2.merge((np.clip(picture, 0, 255).astype(np.uint8), np.full((height, width), SKY, np.uint8)))
    _skyline(dice, rng, sky, light, focal)
    return sky


def _skyline(dice, rng, sky, light, focal):
    height, width = sky.shape[:2]
    crest = (focal * (0.02 + 0.006 * fractal(rng, 1, width, max(focal / 12, 2))[0])).astype(int)
    leaf = light.haze(jitter(dice, dice.pick(LEAF_COLORS), 10), light.haze_distance * 0.75)
    for x in range(width):
        sky[max(height - max(crest[x], 1), 0):, x] = leaf + (VEGETATION,)
    x = 0
    while x < width:
        step = max(int(focal * dice.uniform(0.015, 0.05)), 1)
        if dice.chance(0.45):
            roof = max(height - int(focal * dice.uniform(0.015, 0.045)), 0)
            sky[roof:, x:x + step] = light.haze(jitter(dice, dice.pick(WALL_COLORS), 15),
                                                light.haze_distance * 0.75) + (BUILDING,)
        x += step


def ground_tile(dice, road):
    """What a street's surface adds to its flat colors: uint8 [H, W], one period along by the road's breadth.

    The middle column is the center line; row 0 is the start of the period.
    """
    rng = np.random.RandomState(dice.seed())
    h, w = road.TILE_LENGTH * road.TILE_TEXELS, road.TILE_BREADTH * road.TILE_TEXELS
    grain = rng.standard_normal((h, w)).astype(np.float32) * dice.uniform(3, 7)
    tile = 40 + grain + 4 * fractal(rng, h, w, 64)
    d = (np.arange(w) + 0.5) / road.TILE_TEXELS - road.TILE_BREADTH / 2.0
    for lane in road.lanes:
        for track in (-0.8, 0.8):
            tile -= (5 * np.exp(-((d - lane.center - track) / 0.3) ** 2)).astype(np.float32)[None]
    for _ in range(dice.whole(0, 7)):
        x, y = rng.randint(0, w - 60), rng.randint(0, h - 150)
        tile[y:y + rng.randint(40, 150), x:x + rng.randint(20, 60)] -= rng.uniform(4, 14)
    for _ in range(dice.whole(0, 10)):
        points = np.cumsum(rng.randint(-9, 10, (30, 2)), 0) + (rng.randint(0, w), rng.randint(0, h))
        cv2.polylines(tile, [points.astype(np.int32)], False, 18, 1)
    for _ in range(dice.whole(0, 3)):
        cv2.circle(tile, (rng.randint(0, w), rng.randint(10, h - 10)), 7, 14, -1)
    paved = (d < road.left.curb - 0.2) | (d > road.right.curb + 0.2)
    step = dice.pick((10, 14, 20, 28))
    joints = np.zeros((h, w), np.float32)
    joints[::step] = 12
    joints[:, ::step] = 12
    tile -= joints * paved[None]
    for side in (road.left, road.right):
        low, high = sorted((side.grass_inner, side.grass_outer))
        grass = (d > low) & (d < high)
        outside = (d < side.walk_outer) if side.sign < 0 else (d > side.walk_outer)
        tile += (rng.standard_normal((h, w)) * 6 + joints) * (grass | outside)[None]
    return np.clip(tile, 0, 90).astype(np.uint8)
