#!/usr/bin/env python3
"""Makes tests/ShiftAddVit.Tests/Golden/Fixtures: small seeded models (NAME.safetensors, timm names), what they make of two random
images in float64 (NAME.expected.safetensors), and position embeddings moved between grids (positions.safetensors).
Needs torch >= 1.13: ./make_tiny_models.py"""
import pathlib

import torch

from vit_reference import forward, resample, write_safetensors

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/ShiftAddVit.Tests/Golden/Fixtures"

# image: the size that the positions were made for; run_at: the size that the images have.
MODELS = {
    "plain": dict(image=24, run_at=24, patch=8, width=20, depth=2, heads=2, mlp=37, classes=7),
    "distilled": dict(image=16, run_at=16, patch=8, width=15, depth=2, heads=3, mlp=23, classes=5, distilled=True),
    "no_qkv_bias": dict(image=32, run_at=32, patch=16, width=9, depth=1, heads=1, mlp=13, classes=6, qkv_bias=False),
    "other_size": dict(image=16, run_at=24, patch=8, width=14, depth=2, heads=2, mlp=25, classes=4),
}
GRIDS = [(3, 5), (5, 3), (4, 7), (7, 2), (2, 6), (7, 12)]


def shapes(patch, width, mlp, classes, depth, image, distilled=False, qkv_bias=True, **_):
    prefix = 2 if distilled else 1
    yield "patch_embed.proj.weight", (width, 3, patch, patch)
    yield "patch_embed.proj.bias", (width,)
    yield "cls_token", (1, 1, width)
    if distilled:
        yield "dist_token", (1, 1, width)
    yield "pos_embed", (1, prefix + (image // patch) ** 2, width)
    for i in range(depth):
        for name, rows, columns in (("attn.qkv", 3 * width, width), ("attn.proj", width, width), ("mlp.fc1", mlp, width), ("mlp.fc2", width, mlp)):
            yield f"blocks.{i}.{name}.weight", (rows, columns)
            if qkv_bias or name != "attn.qkv":
                yield f"blocks.{i}.{name}.bias", (rows,)
        for name in ("norm1", "norm2"):
            yield f"blocks.{i}.{name}.weight", (width,)
            yield f"blocks.{i}.{name}.bias", (width,)
    yield "norm.weight", (width,)
    yield "norm.bias", (width,)
    for head in ("head", "head_dist") if distilled else ("head",):
        yield head + ".weight", (classes, width)
        yield head + ".bias", (classes,)


def random(name, shape, generator):
    """Values that float16 holds exactly, so that the files can be half as large."""
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if "norm" in name and name.endswith(".weight"):
        return (1 + 0.1 * x).half()
    scale = {1: 0.1, 2: 0.25, 3: 0.25, 4: 0.05}[len(shape)]  # as much smaller for the patch projection as its sums are longer
    return (x * scale).half()


def model(name, config, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = {key: random(key, shape, generator) for key, shape in shapes(**config)}
    images = torch.randn((2, 3, config["run_at"], config["run_at"]), generator=generator, dtype=torch.float64).half()
    seen = forward(images.double(), {key: w.double() for key, w in weights.items()}, config["heads"])
    write_safetensors(OUT / f"{name}.safetensors", weights)
    metadata = {"heads": str(config["heads"]), "run_at": str(config["run_at"])}
    write_safetensors(OUT / f"{name}.expected.safetensors", {"images": images, **{key: x.float() for key, x in seen.items()}}, metadata)


def positions():
    generator = torch.Generator().manual_seed(9)
    tensors = {}
    for prefix, (old, new) in zip((1, 2, 1, 0, 1, 2), GRIDS):
        before = torch.randn((1, prefix + old * old, 3), generator=generator)
        tensors[f"{prefix}_{old}_{new}.before"] = before[0]
        tensors[f"{prefix}_{old}_{new}.after"] = resample(before.double(), prefix, new)[0].float()
    write_safetensors(OUT / "positions.safetensors", tensors)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, config) in enumerate(MODELS.items()):
        model(name, config, seed)
    positions()
