#!/usr/bin/env python3
"""Makes tests/ShiftAddVit.Imaging.Tests/Fixtures/Crops: synthetic photograph-like images of mixed sizes and what torchvision's Resize
and CenterCrop make of them with Pillow. WxH_RESIZE_CROP.jpg is the source, the .png of that name the crop.
Needs Pillow and numpy: ./make_golden_crops.py"""
import pathlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/ShiftAddVit.Imaging.Tests/Fixtures/Crops"

# width, height, resize, crop: landscape, portrait, square, shrinking, growing, one axis unchanged, crops with and without the edges.
CASES = [
    (640, 480, 256, 224), (300, 500, 256, 224), (225, 400, 256, 224), (257, 256, 96, 84),
    (1024, 683, 96, 84), (500, 375, 128, 112), (375, 500, 128, 112), (333, 500, 128, 128),
    (256, 256, 128, 128), (227, 227, 96, 84), (200, 200, 64, 64), (180, 120, 128, 112),
    (97, 61, 96, 84), (64, 64, 96, 96), (33, 47, 64, 57), (128, 200, 128, 112),
    (129, 130, 128, 127), (500, 50, 64, 56), (41, 390, 48, 48), (8, 5, 32, 32),
]


def photograph(width, height, seed):
    """Smooth light, texture that fades across the image, and hard edges in saturated colours."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    image = np.zeros((height, width, 3))
    for c in range(3):
        fx, fy, phase = rng.uniform(0.5, 3, 3)
        image[..., c] = 128 + 90 * np.sin(6.3 * (fx * x / width + fy * y / height) + phase)
    texture = 50 * np.sin(x * 1.9) * np.sin(y * 1.3) * (x / width)
    image += texture[..., None]
    for _ in range(6):
        cx, cy, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.25) * min(width, height)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2 if rng.rand() < 0.5 else (abs(x - cx) < radius) & (abs(y - cy) < radius / 2)
        image[inside] = rng.choice([0, 255], 3)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def resize_and_crop(image, short_side, crop):
    width, height = image.size
    long_side = int(short_side * max(width, height) / min(width, height))
    size = (short_side, long_side) if width <= height else (long_side, short_side)
    image = image.resize(size, Image.BICUBIC)
    left, top = (int(round((side - crop) / 2.0)) for side in size)
    return image.crop((left, top, left + crop, top + crop))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (width, height, short_side, crop) in enumerate(CASES):
        source = OUT / f"{width}x{height}_{short_side}_{crop}.jpg"
        photograph(width, height, seed).save(source, quality=75)
        resize_and_crop(Image.open(source).convert("RGB"), short_side, crop).save(source.with_suffix(".png"), optimize=True)
