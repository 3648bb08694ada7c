using System.Collections.Immutable;
using System.Text;
using CsCheck;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public sealed class TuningCacheTests : IDisposable
{
    static readonly KernelRegistry Registry = new(KernelIsa.Vector128);
    static readonly LinearShape Shape = new(WeightFormat.P4, 24, 192, 576, LinearOutput.Heads, 64);
    static readonly RowChain Chain = new(WeightFormat.P4, 197, 192, 768, 64, 2);
    static readonly KernelName Reference = Registry.Usable(Shape).Last().Name;
    static readonly AttentionShape Attention = new(197, 3, 64, 2);
    static readonly TunedChoices Choices = new(
        ImmutableDictionary<LinearShape, KernelName>.Empty.Add(Shape, Reference), ImmutableDictionary<RowChain, int>.Empty.Add(Chain, 66),
        ImmutableDictionary<AttentionShape, AttentionSplit>.Empty.Add(Attention, new(48, 2)));

    readonly TemporaryFolder _folder = new();

    TuningCache Cache => new(_folder.Path);

    public void Dispose() => _folder.Dispose();

    TunedChoices Read(out string? warning) => Cache.Read(Registry, out warning);

    void Put(string text) => File.WriteAllText(Cache.Path!, text);

    string Written()
    {
        Cache.Write(Registry, Choices);
        return File.ReadAllText(Cache.Path!);
    }

    /// <summary>Nothing is taken from the file, one line says why, and writing makes it whole again.</summary>
    void IsPassedOver(string why)
    {
        var choices = Read(out var warning);
        Assert.Same(TunedChoices.None, choices);
        Assert.StartsWith($"{Cache.Path}: tuned choices are not used: {why}", warning, StringComparison.Ordinal);
        Assert.DoesNotContain(warning!, char.IsControl);
        AssertSame(Choices, ReadBack());
    }

    TunedChoices ReadBack()
    {
        Cache.Write(Registry, Choices);
        var choices = Read(out var warning);
        Assert.Null(warning);
        return choices;
    }

    static void AssertSame(TunedChoices expected, TunedChoices actual)
    {
        Assert.Equal(expected.Kernels.ToHashSet(), actual.Kernels.ToHashSet());
        Assert.Equal(expected.RowBlocks.ToHashSet(), actual.RowBlocks.ToHashSet());
        Assert.Equal(expected.Splits.ToHashSet(), actual.Splits.ToHashSet());
    }

    [Fact]
    public void What_was_written_is_read() => AssertSame(Choices, ReadBack());

    [Fact]
    public void Without_a_file_nothing_is_known_and_nothing_is_wrong()
    {
        Assert.Same(TunedChoices.None, Read(out var warning));
        Assert.Null(warning);
        Assert.Same(TunedChoices.None, new TuningCache(null).Read(Registry, out warning));
        Assert.Null(warning);
    }

    [Fact]
    public void A_cache_that_keeps_nothing_can_not_be_written() =>
        Assert.Throws<InvalidOperationException>(() => new TuningCache(null).Write(Registry, Choices));

    [Fact]
    public void Writing_makes_the_folder()
    {
        var cache = new TuningCache(_folder["a/b"]);
        cache.Write(Registry, Choices);
        AssertSame(Choices, cache.Read(Registry, out _));
        Assert.Equal(["tuning.json"], Directory.GetFiles(_folder["a/b"]).Select(Path.GetFileName));
    }

    [Fact]
    public void Writing_adds_to_what_is_there_and_the_newer_wins()
    {
        Written();
        var (shape, chain) = (Shape with { Output = LinearOutput.Stored, HeadSize = 0 }, Chain with { Threads = 1 });
        var name = Registry.Linear(Shape).Name;
        var more = new TunedChoices(Choices.Kernels.SetItem(Shape, name).Add(shape, name), Choices.RowBlocks.Clear().Add(chain, 12), Choices.Splits.SetItem(Attention, new(99, 1)));
        Cache.Write(Registry, more);
        AssertSame(more with { RowBlocks = Choices.RowBlocks.Add(chain, 12) }, Read(out _));
    }

    [Fact]
    public void Any_byte_of_the_file_may_be_missing_or_another()
    {
        var bytes = Encoding.UTF8.GetBytes(Written());
        for (var i = 0; i < bytes.Length; i += 3)
        {
            File.WriteAllBytes(Cache.Path!, bytes.AsSpan(0, i));
            Assert.Same(TunedChoices.None, Read(out var warning));
            Assert.NotNull(warning);
            var changed = (byte[])bytes.Clone();
            changed[i] ^= 0x81;
            File.WriteAllBytes(Cache.Path!, changed);
            Read(out _);
        }
    }

    [Fact]
    public void Any_text_may_be_in_the_file() => Gen.String[Gen.Char["{}[]:,\"0123456789-.cpuversionkshape_w \0\n"], 0, 60].Sample(text =>
    {
        Put(text);
        Assert.Same(TunedChoices.None, Read(out var warning));
        Assert.NotNull(warning);
    }, iter: 300);

    public static TheoryData<string, string> Damages => new()
    {
        { "nothing", "" },
        { "null", "null" },
        { "another kind", "[]" },
        { "a null list", """{"cpu":"","version":"","kernels":"","missing":[],"shapes":null,"row_blocks":[],"splits":[]}""" },
        { "a null entry", """{"cpu":"","version":"","kernels":"","missing":[],"shapes":[null],"row_blocks":[],"splits":[]}""" },
        { "a missing member", """{"cpu":"","version":"","kernels":"","missing":[],"shapes":[]}""" },
        { "an unknown member", """{"cpu":"","version":"","kernels":"","missing":[],"shapes":[],"row_blocks":[],"splits":[],"run":"rm"}""" },
        { "a member twice", """{"cpu":"","cpu":"","version":"","kernels":"","missing":[],"shapes":[],"row_blocks":[],"splits":[]}""" },
        { "deep nesting", new string('[', 100_000) },
        { "zeros", new string('\0', 1000) },
    };

    [Theory, MemberData(nameof(Damages))]
    public void A_damaged_file_is_passed_over(string what, string text)
    {
        Assert.NotEmpty(what);
        Put(text);
        IsPassedOver("damaged, or in an earlier form;");
    }

    [Fact]
    public void So_is_one_of_another_processor_version_or_list_of_kernels()
    {
        var here = TuningOrigin.Of(Registry);
        var text = Written();
        Put(text.Replace($"\"cpu\": \"{here.Cpu}\"", "\"cpu\": \"a\\u001bb\"", StringComparison.Ordinal));
        IsPassedOver($"made on 'a?b', this is {here.Cpu}; 'shiftadd tune' makes them anew");
        Put(text.Replace("\"version\": \"", "\"version\": \"9", StringComparison.Ordinal));
        IsPassedOver($"made by version '9");
        Put(text.Replace(here.Kernels, new('0', here.Kernels.Length), StringComparison.Ordinal));
        IsPassedOver("made for other kernels");
    }

    [Fact]
    public void So_is_one_that_was_made_where_a_kernel_could_not_run_that_now_can()
    {
        var here = TuningOrigin.Of(Registry);
        Assert.DoesNotContain($"{Reference}", here.Missing);
        Assert.Equal($"made without '{Reference}', which can run now", (here with { Missing = [.. here.Missing, $"{Reference}"] }).Stale(here));
        // The other way round: such a choice is passed over on its own.
        Assert.Null(here.Stale(here with { Missing = [.. here.Missing, $"{Reference}"] }));
        Put(Written().Replace("\"missing\": [", $"\"missing\": [\"{Reference}\"{(here.Missing.IsEmpty ? "" : ",")}", StringComparison.Ordinal));
        IsPassedOver($"made without '{Reference}'");
    }

    [Fact]
    public void Another_commit_of_the_same_version_does_not_make_it_stale() => Assert.DoesNotContain('+', TuningOrigin.Of(Registry).Version);

    [Fact]
    public void A_cap_does_not_make_it_stale()
    {
        Written();
        AssertSame(Choices, Cache.Read(new(KernelIsa.Avx512Vnni), out var warning));
        Assert.Null(warning);
    }

    [Fact]
    public void A_huge_file_is_not_read()
    {
        using (var stream = File.Create(Cache.Path!)) stream.SetLength(1L << 40);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Read(out _);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, TuningCache.MaxBytes);
        IsPassedOver("larger than 1048576 bytes");
    }

    [Fact]
    public void A_folder_in_its_place_is_passed_over_and_can_not_be_written()
    {
        Directory.CreateDirectory(Cache.Path!);
        Assert.Same(TunedChoices.None, Read(out _));
        Assert.Contains("is a directory", Assert.Throws<ShiftAddVitException>(() => Cache.Write(Registry, Choices)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_in_the_place_of_its_folder_is_passed_over_and_can_not_be_written()
    {
        File.WriteAllText(_folder["file"], "");
        var cache = new TuningCache(_folder["file"]);
        Assert.Same(TunedChoices.None, cache.Read(Registry, out _));
        var failure = Assert.Throws<ShiftAddVitException>(() => cache.Write(Registry, Choices));
        Assert.StartsWith($"{cache.Path}: its folder cannot be made: ", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(failure.Message, char.IsControl);
    }

    [Fact]
    public void An_unreadable_file_is_passed_over()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "needs Unix permissions, which a superuser has all of");
        Written();
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Cache.Path!, UnixFileMode.None);
        Assert.Same(TunedChoices.None, Read(out var warning));
        Assert.NotNull(warning);
    }

    [Fact]
    public void Entries_that_can_not_be_are_left_out()
    {
        var text = Written().Replace($"{Reference}", "MatShift_U8P4I32_7x7_Nowhere", StringComparison.Ordinal);
        foreach (var rows in (string[])["0", "-1", "11", "199", "2147483647"])
        {
            Put(text.Replace("\"rows\": 66", $"\"rows\": {rows}", StringComparison.Ordinal));
            var choices = Read(out var warning);
            Assert.Null(warning);
            Assert.Empty(choices.Kernels);
            Assert.Equal(Chain.StaticRows, choices.RowBlock(Chain));
        }
        foreach (var (right, wrong) in (ReadOnlySpan<(string, string)>)[("queries\": 48", "queries\": 199"), ("thread\": 2", "thread\": 0"), ("thread\": 2", "thread\": 17")])
        {
            Put(text.Replace(right, wrong, StringComparison.Ordinal));
            Assert.Equal(AttentionSplit.Static, Read(out _).Split(Attention));
        }
    }

    [Fact]
    public void Writers_and_readers_at_once_see_whole_files()
    {
        Written();
        Parallel.For(0, 40, i =>
        {
            if (i % 2 == 0) Cache.Write(Registry, Choices);
            else AssertSame(Choices, Read(out _));
        });
        Assert.Single(Directory.GetFiles(_folder.Path));
    }
}
