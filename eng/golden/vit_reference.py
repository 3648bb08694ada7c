"""A plain transcription of ViT (Dosovitskiy et al. 2021) and DeiT (Touvron et al. 2021) for judging, in PyTorch and in the precision of
its weights; and the safetensors format, written and read from its description."""
import json
import struct

import torch
from torch.nn import functional

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16}


def write_safetensors(path, tensors, metadata=None):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    names = {dtype: name for name, dtype in DTYPES.items()}
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    data = memoryview(bytearray(path.read_bytes()))
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(bytes(data[8:8 + length])), data[8 + length:]
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(body[slice(*entry["data_offsets"])], dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def resample(positions, prefix, side):
    """positions [1, prefix + from * from, C] on a grid of another side, as timm does it."""
    grid = positions[:, prefix:]
    old = round(grid.shape[1] ** 0.5)
    grid = grid.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([positions[:, :prefix], grid.permute(0, 2, 3, 1).reshape(1, side * side, -1)], 1)


def layer_norm(x, w, name, epsilon):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon) * w[name + ".weight"] + w[name + ".bias"]


def linear(x, w, name):
    y = x @ w[name + ".weight"].T
    return y + w[name + ".bias"] if name + ".bias" in w else y


def attention(x, w, name, heads, linear):
    b, n, c = x.shape
    q, k, v = linear(x, w, name + ".qkv").reshape(b, n, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
    scores = torch.softmax(q @ k.transpose(-2, -1) / (c // heads) ** 0.5, -1)
    return linear((scores @ v).transpose(1, 2).reshape(b, n, c), w, name + ".proj")


def embed(images, w):
    patch = w["patch_embed.proj.weight"].shape[-1]
    x = functional.conv2d(images, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=patch)
    side, x = x.shape[-1], x.flatten(2).transpose(1, 2)
    prefix = [w[name].expand(len(x), -1, -1) for name in ("cls_token", "dist_token") if name in w]
    return torch.cat(prefix + [x], 1) + resample(w["pos_embed"], len(prefix), side)


def forward(images, w, heads, epsilon=1e-6, linear=linear):
    """The residual stream after the embedding and each block, and the logits, by name. `linear` may be another, that watches its inputs."""
    x = embed(images, w)
    seen = {"embed": x}
    for i in range(sum(name.endswith("norm1.weight") for name in w)):
        block = f"blocks.{i}"
        x = x + attention(layer_norm(x, w, block + ".norm1", epsilon), w, block + ".attn", heads, linear)
        hidden = functional.gelu(linear(layer_norm(x, w, block + ".norm2", epsilon), w, block + ".mlp.fc1"))
        x = x + linear(hidden, w, block + ".mlp.fc2")
        seen[block] = x
    x = layer_norm(x, w, "norm", epsilon)
    logits = linear(x[:, 0], w, "head")
    seen["logits"] = (logits + linear(x[:, 1], w, "head_dist")) / 2 if "head_dist.weight" in w else logits
    return seen
