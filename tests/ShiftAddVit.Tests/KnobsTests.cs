namespace ShiftAddVit.Tests;

/// <summary>The environment belongs to the process: these tests do not run beside others that read it.</summary>
[Collection(nameof(KnobsTests))]
[CollectionDefinition(nameof(KnobsTests), DisableParallelization = true)]
public class KnobsTests
{
    static void With(string name, string? value, Action test)
    {
        var before = Environment.GetEnvironmentVariable(name);
        Environment.SetEnvironmentVariable(name, value);
        try { test(); }
        finally { Environment.SetEnvironmentVariable(name, before); }
    }

    [Fact]
    public void Every_knob_is_described()
    {
        Assert.Equal(Knobs.All.Length, Knobs.All.Select(knob => knob.Name).Distinct().Count());
        Assert.All(Knobs.All, knob => Assert.StartsWith("SHIFTADD_", knob.Name, StringComparison.Ordinal));
        Assert.All(Knobs.All, knob => Assert.EndsWith(".", knob.Purpose, StringComparison.Ordinal));
        Assert.All(Knobs.All, knob => Assert.NotEmpty(knob.Allowed));
    }

    [Theory]
    [InlineData(null, "avx512vnni")]
    [InlineData(" ", "avx512vnni")]
    [InlineData("vector128", "vector128")]
    [InlineData("reference", "reference")]
    public void The_cap_has_a_default(string? value, string expected) =>
        With("SHIFTADD_MAX_ISA", value, () => Assert.Equal(expected, Knobs.MaxIsa));

    [Theory]
    [InlineData("avx512")]
    [InlineData("Vector128")]
    public void A_wrong_cap_is_refused(string value) => With("SHIFTADD_MAX_ISA", value, () =>
        Assert.Equal($"SHIFTADD_MAX_ISA={value}: not allowed; reference|vector128|vector256|vector512|avx512vnni",
            Assert.Throws<ShiftAddVitException>(() => Knobs.MaxIsa).Message));

    [Theory]
    [InlineData(null, null)]
    [InlineData("2", 2)]
    [InlineData("1024", 1024)]
    public void Threads_are_one_a_processor_unless_set(string? value, int? expected) =>
        With("SHIFTADD_THREADS", value, () => Assert.Equal(expected ?? Environment.ProcessorCount, Knobs.Threads));

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1025")]
    [InlineData("two")]
    public void Wrong_threads_are_refused(string value) => With("SHIFTADD_THREADS", value, () =>
        Assert.Equal($"SHIFTADD_THREADS={value}: not allowed; 1 to 1024",
            Assert.Throws<ShiftAddVitException>(() => Knobs.Threads).Message));

    [Fact]
    public void The_cache_is_a_folder_or_none()
    {
        With("SHIFTADD_CACHE", "none", () => Assert.Null(Knobs.CacheFolder));
        With("SHIFTADD_CACHE", " some/folder ", () => Assert.Equal("some/folder", Knobs.CacheFolder));
    }

    [Fact]
    public void The_cache_is_where_the_system_wants_it_unless_set() => With("SHIFTADD_CACHE", null, () =>
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "other systems have folders that no variable moves");
        With("XDG_CACHE_HOME", "/var/caches", () => Assert.Equal("/var/caches/shiftadd", Knobs.CacheFolder));
        // The specification has relative paths ignored.
        foreach (var unset in (string?[])["caches", "", null])
            With("XDG_CACHE_HOME", unset, () => Assert.EndsWith("/.cache/shiftadd", Knobs.CacheFolder, StringComparison.Ordinal));
    });

    [Fact]
    public void Forced_kernels_are_separated_by_commas()
    {
        With("SHIFTADD_KERNEL", " a ,b,", () => Assert.Equal(["a", "b"], Knobs.ForcedKernels));
        With("SHIFTADD_KERNEL", null, () => Assert.Empty(Knobs.ForcedKernels));
    }
}
