#!/usr/bin/env python3
"""Prints how many of the first N images of a labels.csv a dense DeiT-Tiny has right, in float32: top-1, top-5. The images are only
cropped. Needs torch >= 1.13, Pillow and numpy: ./count_accuracy.py WEIGHTS.safetensors DIRECTORY N"""
import csv
import itertools
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from vit_reference import forward, read_safetensors

HEADS, CROP = 3, 224
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def load(path):
    image = Image.open(path).convert("RGB")
    left, top = (int(round((side - CROP) / 2)) for side in image.size)
    levels = torch.from_numpy(np.array(image.crop((left, top, left + CROP, top + CROP))))
    return ((levels.float() / 255 - MEAN) / STD).permute(2, 0, 1)


if __name__ == "__main__":
    weights, directory = read_safetensors(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])
    with open(directory / "labels.csv", newline="") as labels:
        rows = list(itertools.islice(csv.DictReader(labels), int(sys.argv[3])))
    top1 = top5 = 0
    for row in rows:
        logits = forward(load(directory / row["file"])[None], weights, HEADS)["logits"][0]
        best = logits.topk(5).indices.tolist()
        top1 += best[0] == int(row["class_index"])
        top5 += int(row["class_index"]) in best
    print(f"{top1} {top5} of {len(rows)}")
