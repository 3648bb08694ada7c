namespace ShiftAddVit.Tests;

/// <summary>
/// The real weights and images, outside the repository. With SHIFTADD_TEST_DATA set, a missing file fails the test; unset, the
/// test is skipped with a reason.
/// </summary>
public static class RealData
{
    public static string Require(string relativePath)
    {
        var root = Environment.GetEnvironmentVariable("SHIFTADD_TEST_DATA");
        Assert.SkipWhen(string.IsNullOrEmpty(root), "SHIFTADD_TEST_DATA is not set: no real weights or images to test with");
        var path = Path.GetFullPath(Path.Combine(root!, relativePath));
        Assert.True(File.Exists(path) || Directory.Exists(path), $"{path}: missing, although SHIFTADD_TEST_DATA is set");
        return path;
    }
}
