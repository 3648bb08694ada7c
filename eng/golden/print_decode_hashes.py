#!/usr/bin/env python3
"""Prints the SHA-256 of the RGB bytes that Pillow decodes from the first 16 images of a labels.csv, as the lines of
DecodeHashes in PillowDecodingTests.cs. Pillow's wheels and Debian's package decode with libjpeg-turbo (islow, fancy upsampling).
Usage: ./print_decode_hashes.py DIRECTORY"""
import csv
import hashlib
import itertools
import pathlib
import sys

from PIL import Image

directory = pathlib.Path(sys.argv[1])
with open(directory / "labels.csv", newline="") as labels:
    for row in itertools.islice(csv.DictReader(labels), 16):
        pixels = Image.open(directory / row["file"]).convert("RGB").tobytes()
        print(f'        "{hashlib.sha256(pixels).hexdigest()}",')
