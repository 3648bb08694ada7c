using System.Security.Cryptography;
using System.Text.Json;
using ShiftAddVit.Models;
using ShiftAddVit.Tests;

namespace ShiftAddVit.Imaging.Tests;

/// <summary>Photographs of the validation set against Pillow and PyTorch.</summary>
public class PillowDecodingTests
{
    // SHA-256 of Pillow's RGB bytes of the first 16 rows: eng/golden/print_decode_hashes.py.
    static readonly string[] DecodeHashes =
    [
        "9026c2354ff45c924e7c744c745071e307a73b4ebb1c3299cfc6a5b3925020c4",
        "eb7a29bd6a4b1c1d1e22b333a377bcbb8c405e31d401f7101d96938c94cafc64",
        "47884f7e4a75e988bf919d8c4a692765aa5f15adca234bc131f6b470b5b48498",
        "f071f2babf99f84e446fa45418815b69208740560e1e3be169b190fa00546f9e",
        "29c9dd66ffa72976d7d714832157cf15f3d6039564f5d08c755a73efd96282a9",
        "19f675b5d86e6e633b59e4e6e063c75a6a15325a5351d32efe3496b3adb6adf5",
        "f1a600305c43737c12a686170308f6462a78a8b117d74f1277933e4440672bbe",
        "bfcf860defa2a6e710aaa267ad76500583bc386dfdc3dd152621905172eca472",
        "83d3741da06115529452dc34a7ad14ee6df409d114db0d7fe370275fdf14619a",
        "c5f537fa532b634db4ef1fa1a44cfe741acab52399e340f3c5300e4cf066f6e4",
        "acdecb96c897208a1ee3794d5b8e756677de139008bd73727fb87141c869cb3d",
        "19ab20266dc3781b90522d5723d149144184777717efe80109b424e82b94fad6",
        "f5cdbd8e0dcc78e163f6400e8171ecae60f4d3d268fcbdd5536bd92f1bd7ab9c",
        "68b3d2a4f63dd560e828308fff2b5a49392b37e285fa150b2332482c3f55e170",
        "917a3f4582b978337eea31d8e4180d129587e0d32c89c8c46a6a2def63d1d1b6",
        "7e2c2216e80a6991b128f2963d91daa30c018c31ba257bc2b75abaf542c2f6c4",
    ];

    [Fact]
    public void Photographs_decode_to_the_bits_of_Pillow()
    {
        var images = LabeledImageSet.Open(RealData.Require("imagenet_val_1300"), 1000).Take(DecodeHashes.Length).Items;
        var hashes = images.Select(image => SHA256.HashData(ImageDecoder.Decode(image.Path).Pixels));
        Assert.Equal(DecodeHashes, hashes.Select(Convert.ToHexStringLower));
    }

    [Fact]
    public void The_first_photograph_becomes_the_input_of_the_golden_run()
    {
        // One rounding of float32 at the largest magnitude (2.64) is 2.4e-7.
        const float Tolerance = 1e-6f;
        var expected = ReadFloats(RealData.Require("golden_deit_tiny.safetensors"), "input_image0");
        var image = LabeledImageSet.Open(RealData.Require("imagenet_val_1300"), 1000).Items[0];
        var actual = new float[expected.Length];
        new ImagePreprocessor(new(null, 224, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd)).Load(image.Path, actual);
        Assert.InRange(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max(), 0, Tolerance);
    }

    static float[] ReadFloats(string path, string name)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        var headerLength = (int)reader.ReadInt64();
        using var header = JsonDocument.Parse(reader.ReadBytes(headerLength));
        var offsets = header.RootElement.GetProperty(name).GetProperty("data_offsets");
        reader.BaseStream.Position = sizeof(long) + headerLength + offsets[0].GetInt64();
        var values = new float[(offsets[1].GetInt64() - offsets[0].GetInt64()) / sizeof(float)];
        for (var i = 0; i < values.Length; i++) values[i] = reader.ReadSingle();
        return values;
    }
}
