namespace ShiftAddVit.Tests.Golden;

/// <summary>Small models and what PyTorch made of them (eng/golden/make_tiny_models.py).</summary>
static class GoldenFiles
{
    public static string PathOf(string name)
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "ShiftAddVit.slnx"))) directory = Path.GetDirectoryName(directory)!;
        return Path.Combine(directory, "tests", "ShiftAddVit.Tests", "Golden", "Fixtures", name + ".safetensors");
    }

    /// <summary>max |a - b|; a NaN on either side is infinitely far.</summary>
    public static double MaxDifference(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Assert.Equal(a.Length, b.Length);
        double largest = 0;
        for (var i = 0; i < a.Length; i++)
        {
            var difference = Math.Abs(a[i] - (double)b[i]);
            largest = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(largest, difference);
        }
        return largest;
    }
}
