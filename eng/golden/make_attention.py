#!/usr/bin/env python3
"""Makes tests/ShiftAddVit.Tests/Golden/Fixtures/attention.safetensors: one head of each form of binary attention in float64, from the
formulas alone. Needs torch >= 1.13 (for NumPy and the file format): ./make_attention.py

Tensors are named FORM.CODES.TENSOR; N tokens (the first `prefix` of them class and distillation, then a 3x3 grid), D = 8 channels, I bits.
    quadratic.sign    key bias, code scales              quadratic.quant   neither
    taylor.sign       key bias, code scales, 3x3 filter  taylor.quant      3x3 filter, two prefix tokens
    angular.quant     9-tap filter                       angular.ksh       no filter
    ecoformer.ksh
Given:
    q, k, v [N,D]         with their biases; q and k hold zeros, whose bit is 0; channel 3 of v is all 0
    prefix [1]
    beta [N], tau [1]     key biases; temperature (quadratic)
    gain, skip [D], filter [D,9] | [9]     (taylor; angular: the filter of the head)
    anchors [A,D], spread [1], mean [A], projection [I,A]     of ksh; q and k are hashed by the same
Expected:
    bits_q, bits_k [N,I]  0 or 1: stands for -1 or +1 in sign and in ecoformer, for 0 or 1 elsewhere
    products [N,N]        bq_i . bk_j, integers (quadratic)
    operand [N,D]         the S8 integers of v, of u in taylor; scales [D]: theirs, 1 where all are 0
    sums [N,D]            bq_i (bk^T operand), integers
    y [N,D]
No S8 rounding is closer than CLEAR levels to a tie, no hash bit closer than CLEAR to its threshold: float32 finds the same integers."""
import pathlib

import numpy as np
import torch

from vit_reference import write_safetensors

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/ShiftAddVit.Tests/Golden/Fixtures/attention.safetensors"
SIDE, D, BITS, ANCHORS = 3, 8, 16, 25
CLEAR = 1e-3


class Unclear(Exception):
    """An integer hangs on the last bits of a float: draw again."""


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def quantized(v):
    """v [N,D] to integers of -127..127 and a scale a channel."""
    largest = np.abs(v).max(0)
    scales = np.where(largest < 2.0**-100, 1, largest / 127)
    levels = v / scales
    if (np.abs(levels - np.floor(levels) - 0.5) < CLEAR).any():
        raise Unclear
    return np.rint(levels), scales


def above_zero(y):
    """Bits of hashes: none may be close."""
    if (np.abs(y) < CLEAR).any():
        raise Unclear
    return (y > 0).astype(float)


def hashed(x, g):
    x = x / np.sqrt((x**2).sum(1, keepdims=True) + 1e-12)
    distances = ((x[:, None] - g["anchors"]) ** 2).sum(2)
    return above_zero((np.exp(-distances / (2 * g["spread"])) - g["mean"]) @ g["projection"].T)


def linear_sums(bq, bk, v):
    operand, scales = quantized(v)
    return {"operand": operand, "scales": scales, "sums": bq @ (bk.T @ operand)}


def grid_convolution(v, g):
    """The 3x3 filter of each channel over the patches, zeros outside; prefix tokens get 0 and are nobody's neighbour."""
    prefix, y = int(g["prefix"][0]), np.zeros_like(v)
    grid = np.zeros((SIDE + 2, SIDE + 2, D))
    grid[1:-1, 1:-1] = v[prefix:].reshape(SIDE, SIDE, D)
    for row in range(SIDE):
        for column in range(SIDE):
            window = grid[row:row + 3, column:column + 3].reshape(9, D)
            y[prefix + row * SIDE + column] = (window * g["filter"].T).sum(0)
    return y


def token_convolution(v, g):
    padded = np.pad(v, ((4, 4), (0, 0)))
    return sum(tap * padded[t:t + len(v)] for t, tap in enumerate(g["filter"]))


def quadratic(g, bq, bk):
    products = bq @ bk.T
    z = g["tau"] * products
    if "beta" in g:
        z = z * np.outer(np.abs(g["q"]).mean(1), np.abs(g["k"]).mean(1)) + g["beta"]
    return {"products": products, "y": softmax(z) @ g["v"]}


def taylor(g, bq, bk):
    v = g["v"]
    w = softmax(g["beta"]) if "beta" in g else np.full(len(v), 1 / len(v))
    mu = w @ v
    seen = linear_sums(bq, bk, w[:, None] * (v - mu))
    scale = np.abs(g["q"]).mean(1, keepdims=True) if "beta" in g else 1
    y = mu + g["gain"] * scale * seen["scales"] * seen["sums"] + g["skip"] * v + grid_convolution(v, g)
    return {**seen, "y": y}


def angular(g, bq, bk):
    seen = linear_sums(bq, bk, g["v"])
    t = 0.5 * g["v"] + seen["scales"] * seen["sums"] / np.pi
    y = t / np.sqrt((t**2).sum(1, keepdims=True) + 1e-6)
    return {**seen, "y": y + token_convolution(g["v"], g) if "filter" in g else y}


def ecoformer(g, bq, bk):
    seen, n, bias = linear_sums(bq, bk, g["v"]), len(bq), BITS + 1
    y = seen["scales"] * (seen["sums"] + bias * seen["operand"].sum(0)) / (bq @ bk.sum(0) + n * bias)[:, None]
    return {**seen, "y": y}


def given(draw, form, codes):
    """Values that float16 holds exactly, but for the spread and the mean."""
    half = lambda *shape, scale=1.0: (scale * draw.standard_normal(shape)).astype(np.float16).astype(float)
    prefix = 2 if (form, codes) == ("taylor", "quant") else 1
    n = prefix + SIDE * SIDE
    g = {"q": half(n, D), "k": half(n, D), "v": half(n, D), "prefix": np.array([float(prefix)])}
    g["q"][1, 2] = g["k"][2, 1] = 0
    g["v"][:, 3] = 0
    if form in ("quadratic", "taylor") and codes == "sign":
        g["beta"] = half(n)
    if form == "quadratic":
        g["tau"] = np.array([0.375])
    if form == "taylor":
        g.update(gain=half(D), skip=half(D), filter=half(D, 9, scale=0.25))
    if (form, codes) == ("angular", "quant"):
        g["filter"] = half(9, scale=0.25)
        g["q"][4], g["v"][4] = -np.abs(g["q"][4]), 0  # nothing to attend with and nothing of its own: a norm of 0
    if codes == "ksh":
        g.update(hash_parameters(half))
    return g


def hash_parameters(half):
    unit = lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))
    anchors = unit(half(ANCHORS, D)).astype(np.float16).astype(float)
    distances = ((unit(half(100, D))[:, None] - anchors) ** 2).sum(2)
    spread = distances.mean().astype(np.float32).astype(float)
    mean = np.exp(-distances / (2 * spread)).mean(0).astype(np.float32).astype(float)
    return {"anchors": anchors, "spread": np.array([spread]), "mean": mean, "projection": half(BITS, ANCHORS)}


def case(draw, form, codes):
    g = given(draw, form.__name__, codes)
    bits = {name: hashed(g[name], g) if codes == "ksh" else (g[name] > 0).astype(float) for name in "qk"}
    signed = codes == "sign" or form is ecoformer
    seen = form(g, *((2 * b - 1 if signed else b) for b in bits.values()))
    return {**g, "bits_q": bits["q"], "bits_k": bits["k"], **seen}


def first_clear(draw, *arguments):
    while True:
        try:
            return case(draw, *arguments)
        except Unclear:
            pass


CASES = {quadratic: ["sign", "quant"], taylor: ["sign", "quant"], angular: ["quant", "ksh"], ecoformer: ["ksh"]}

if __name__ == "__main__":
    draw, tensors = np.random.default_rng(2), {}
    for form, codes in ((form, codes) for form, all in CASES.items() for codes in all):
        for name, values in first_clear(draw, form, codes).items():
            half = values.astype(np.float16)
            tensors[f"{form.__name__}.{codes}.{name}"] = torch.from_numpy(half if (half == values).all() else values.astype(np.float32))
    write_safetensors(OUT, tensors)
