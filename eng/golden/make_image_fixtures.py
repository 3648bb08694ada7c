#!/usr/bin/env python3
"""Makes tests/ShiftAddVit.Imaging.Tests/Fixtures/Decode: small images of every kind that the decoder takes, each with the pixels
that Pillow reads from it (NAME.ppm). Synthetic patterns only. Needs Pillow and numpy: ./make_image_fixtures.py"""
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/ShiftAddVit.Imaging.Tests/Fixtures/Decode"
WIDTH, HEIGHT = 26, 17


def pattern(shift=0):
    """No symmetry: every flip and turn shows. Gradients, an edge and a corner mark."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([x * 9 + shift, y * 14, 255 - x * 4 - y * 5], -1).astype(np.uint8)
    rgb[2:5, 3:11] = (250, 20, 10)
    rgb[x + 2 * y > 44] = (10, 200, 60)
    return rgb


def save(name, image, **options):
    image.save(OUT / name, **options)
    expect(name, ImageOps.exif_transpose(Image.open(OUT / name)).convert("RGB"))


def expect(name, rgb):
    rgb.save(OUT / (name + ".ppm"))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(name, samples):
    """Pillow writes no 16-bit RGB. The expected level is the high byte (Pillow's own reading of 16-bit grey clips instead)."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + samples[y].astype(">u2").tobytes() for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if channels == 1 else 2, 0, 0, 0)
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
    expect(name, Image.fromarray(np.broadcast_to((samples >> 8).astype(np.uint8), (height, width, 3)).copy()))


def jpegs(rgb):
    image = Image.fromarray(rgb)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation_{orientation}.jpg", image, quality=92, exif=exif)
    for sampling, name in enumerate(("444", "422", "420")):
        save(f"sampling_{name}.jpg", image, quality=85, subsampling=sampling)
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the time of its making
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red], profile[green] = profile[green], profile[red]  # swapped, so that applying it would show
    save("profile.jpg", image, quality=85, icc_profile=bytes(profile))
    save("progressive.jpg", image, quality=85, progressive=True)
    save("grey.jpg", image.convert("L"), quality=90)
    inks = np.concatenate([255 - rgb, (rgb[..., :1] // 3)], -1)
    save("cmyk_adobe.jpg", Image.fromarray(inks, "CMYK"), quality=90)
    ycck = bytearray((OUT / "cmyk_adobe.jpg").read_bytes())
    ycck[ycck.index(b"Adobe") + 11] = 2  # the transform: the same samples mean luma, chroma and black
    (OUT / "ycck_adobe.jpg").write_bytes(ycck)
    expect("ycck_adobe.jpg", Image.open(OUT / "ycck_adobe.jpg").convert("RGB"))


def pngs(rgb):
    image = Image.fromarray(rgb)
    alpha = (np.mgrid[:HEIGHT, :WIDTH].sum(0) * 6).astype(np.uint8)
    save("rgb.png", image)
    save("rgba.png", Image.fromarray(np.dstack([rgb, alpha])))
    save("grey.png", image.convert("L"))
    save("grey_alpha.png", Image.fromarray(np.dstack([rgb[..., 0], alpha])))
    save("bilevel.png", image.convert("1"))
    save("palette.png", image.quantize(16))
    save("palette_transparent.png", image.quantize(16), transparency=3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    png16("rgb_16.png", np.stack([x * 2500, y * 3800, 65535 - x * 1000], -1))
    png16("grey_16.png", (x * 1500 + y * 1600)[..., None])


def webps(rgb):
    image = Image.fromarray(rgb)
    save("lossless.webp", image, lossless=True)
    save("lossy.webp", image, quality=80)
    save("animated.webp", image, lossless=True, save_all=True, append_images=[Image.fromarray(pattern(90))], duration=100)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    jpegs(pattern())
    pngs(pattern())
    webps(pattern())
