#!/usr/bin/env python3
"""Prints the constants of PillowCropTests: SHA-256 of the RGB bytes that torchvision's Resize and CenterCrop make with Pillow of 20
photographs, each cut to another size first. Needs Pillow: ./print_crop_hashes.py DATA, where DATA holds llff_fern/images_8."""
import hashlib
import pathlib
import sys

from PIL import Image

from make_golden_crops import resize_and_crop

# width and height of the cut from the top left corner, short side after the resize, crop
CASES = [
    (504, 378, 256, 224), (504, 378, 232, 224), (378, 378, 256, 224), (300, 378, 256, 224), (504, 300, 256, 224),
    (257, 256, 256, 224), (256, 257, 256, 224), (500, 333, 248, 224), (333, 378, 248, 224), (504, 200, 256, 224),
    (200, 150, 256, 224), (120, 180, 256, 224), (227, 227, 224, 224), (224, 224, 256, 224), (451, 367, 384, 384),
    (100, 100, 256, 224), (504, 378, 96, 96), (399, 371, 64, 56), (256, 256, 256, 224), (431, 259, 255, 224),
]

folder = pathlib.Path(sys.argv[1]) / "llff_fern/images_8"
for (width, height, short_side, crop), path in zip(CASES, sorted(folder.iterdir())):
    cut = Image.open(path).convert("RGB").crop((0, 0, width, height))
    digest = hashlib.sha256(resize_and_crop(cut, short_side, crop).tobytes()).hexdigest()
    print(f'    [InlineData("{path.name}", {width}, {height}, {short_side}, {crop}, "{digest}")]')
