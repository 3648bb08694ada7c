using System.Security.Cryptography;
using ShiftAddVit.Models;
using ShiftAddVit.Tests;

namespace ShiftAddVit.Imaging.Tests;

/// <summary>Photographs of mixed sizes, resized and cropped, against Pillow and torchvision: equal to the bit.</summary>
public class PillowCropTests
{
    // SHA-256 of Pillow's RGB bytes: eng/golden/print_crop_hashes.py. The photograph is cut to width x height first.
    [Theory]
    [InlineData("image000.png", 504, 378, 256, 224, "b026b1dde65377794ec90068312ec0386752ac7d0b8b03a8d1c292386a0fc14d")]
    [InlineData("image001.png", 504, 378, 232, 224, "c4142f52cb56c36f3cceb2a1d1fa6381cde5c76e6275754291a0b991dea1544c")]
    [InlineData("image002.png", 378, 378, 256, 224, "04605f4e6736bdc1368d288e30c712a74ceb3b8da034c74ae4c1a45fea26f137")]
    [InlineData("image003.png", 300, 378, 256, 224, "878b97c98d70dcddaf2c55207f4be121dbcf1824a78daa6573d2fcf0d8f08d4a")]
    [InlineData("image004.png", 504, 300, 256, 224, "13775d891b0e2a8ffe9fe02f5615ea622211c5c01032f3c9fd0fac1b09b554cf")]
    [InlineData("image005.png", 257, 256, 256, 224, "06c395a610802434e24143a99d58da56d164956f84b4a9efd77cc6c9db489ef6")]
    [InlineData("image006.png", 256, 257, 256, 224, "ffd94aa0f8d3477cc8504658a8e566e9c4e8c67697730280b66fe7673ec1165e")]
    [InlineData("image007.png", 500, 333, 248, 224, "dcb57afed0e271017e590dfdd399d68f48b51bf003a0c733273fa0d1d4e5b0fa")]
    [InlineData("image008.png", 333, 378, 248, 224, "b94bc2c328fe6fb7b96036e358f7c3c6a3a9286e977136c64d62dcef69be4299")]
    [InlineData("image009.png", 504, 200, 256, 224, "e8686e332779855bcb733e6257d25774f9ef42ef237ff885e7afd3c9dda4092d")]
    [InlineData("image010.png", 200, 150, 256, 224, "d618d26fd4d9cce4909d5601127a15f6acbe70c56432cef0850c05f6aa6c4100")]
    [InlineData("image011.png", 120, 180, 256, 224, "8ab2b688554233a1aee5e21447a9ab33859b7565dea36c2a5a5d52551ba2f013")]
    [InlineData("image012.png", 227, 227, 224, 224, "5840013a0754c9e52c0d14c58e782ad589b653e65fc1451f05cfd1b8c552d311")]
    [InlineData("image013.png", 224, 224, 256, 224, "76060e5cfa611c825eab3e1e2fe24ddf3c744d0d2be6886d578a088982fe40e8")]
    [InlineData("image014.png", 451, 367, 384, 384, "b75dd853ea0564b769882724d5f34289929c0536fe040a26edae95c46cca3027")]
    [InlineData("image015.png", 100, 100, 256, 224, "81972142f5ca1de98a971999735cb6932b33bf57a8be2d654cfc6abedbbf8901")]
    [InlineData("image016.png", 504, 378, 96, 96, "b09c3a8f16662ecad164065953f4267a822d3b044c977af7b76b7fbc9ad6d5b6")]
    [InlineData("image017.png", 399, 371, 64, 56, "621c6560861c7772501737cd2e4ad64e255ae01d77dfc74a6956c99918b9305e")]
    [InlineData("image018.png", 256, 256, 256, 224, "a492b09f940b9e6a50692aa2ea90a91e662dae0ec5b2d4d8d7e95c8b72718dab")]
    [InlineData("image019.png", 431, 259, 255, 224, "dee28fc7143583fcb3306ce66dee04295bca0f8f152722450f92a87f89dc4ef0")]
    public void Photographs_are_resized_and_cropped_to_the_bits_of_Pillow(string file, int width, int height, int resize, int crop, string hash)
    {
        var photograph = ImageDecoder.Decode(RealData.Require($"llff_fern/images_8/{file}"));
        var preprocessor = new ImagePreprocessor(new(resize, crop, Preprocessing.Half, Preprocessing.Half));
        var pixels = preprocessor.Crop(Cut(photograph, width, height)).Pixels;
        Assert.Equal(hash, Convert.ToHexStringLower(SHA256.HashData(pixels)));
    }

    static RgbImage Cut(RgbImage image, int width, int height)
    {
        var pixels = new byte[width * height * RgbImage.Channels];
        for (var y = 0; y < height; y++) image.Row(y)[..(width * RgbImage.Channels)].CopyTo(pixels.AsSpan(y * width * RgbImage.Channels));
        return new(width, height, pixels);
    }
}
