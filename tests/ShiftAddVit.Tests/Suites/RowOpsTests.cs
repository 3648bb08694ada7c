using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

public unsafe class RowOpsTests
{
    const int Longest = 256;

    public static TheoryData<KernelIsa> Widths => KernelRows.Widths;

    /// <summary>Runs a test for every length with inputs of several spreads.</summary>
    static void ForLengths(Action<int, float[]> test)
    {
        var random = new Random(5);
        for (var length = 0; length <= Longest; length++)
            foreach (var spread in (ReadOnlySpan<float>)[1e-3f, 1, 30]) test(length, KernelRows.RandomFloats(random, length, spread));
    }

    static float[] Floats(int seed, int count) => KernelRows.RandomFloats(new(seed), count);

    static float* At(GuardedMemory memory) => (float*)memory.Pointer;

    [Theory, MemberData(nameof(Widths))]
    public void Quantize_has_the_bits_of_the_reference(KernelIsa widest) => ForLengths((length, x) => AssertQuantized(widest, x));

    [Theory, MemberData(nameof(Widths))]
    public void Quantize_rounds_ties_to_even(KernelIsa widest) =>
        AssertQuantized(widest, [127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, -126.5f, 3.5f, 4.5f, 0, -0f, 1e-30f, 64.5f]);

    [Theory, MemberData(nameof(Widths))]
    public void Quantize_takes_the_smallest_and_largest_floats(KernelIsa widest)
    {
        AssertQuantized(widest, [float.MaxValue, float.MinValue, 1, -1e30f, 0]);
        AssertQuantized(widest, [float.Epsilon, -1e-35f, 0]);
        foreach (var neighbour in (ReadOnlySpan<Func<float, float>>)[max => max, float.BitDecrement, float.BitIncrement])
            AssertQuantized(widest, [neighbour(Negligible.Below), Negligible.Below / 2, Negligible.Below / -3]);
    }

    [Fact]
    public void The_smallest_scale_is_2_to_the_minus_100() => Assert.Equal(Negligible.Below, MathF.ScaleB(1, -100));

    static void AssertQuantized(KernelIsa widest, float[] x)
    {
        var expected = new byte[x.Length];
        var scale = RowReference.Quantize(x, expected);
        using var input = GuardedMemory.Of<float>(x);
        using var q = new GuardedMemory(x.Length);
        Assert.Equal(scale, new RowOps(widest).Quantize(At(input), x.Length, q.Pointer));
        Assert.Equal(expected, q.Bytes);
    }

    [Theory, MemberData(nameof(Widths))]
    public void Dequantize_has_the_bits_of_the_reference(KernelIsa widest) => ForLengths((length, bias) =>
    {
        var acc = new int[length];
        foreach (ref var value in acc.AsSpan()) value = Random.Shared.Next(int.MinValue, int.MaxValue);
        var (scales, expected) = (Floats(length, length), new float[length]);
        RowReference.Dequantize(acc, 0.37f, scales, bias, expected);
        using var accumulators = GuardedMemory.Of<int>(acc);
        using var rowScales = GuardedMemory.Of<float>(scales);
        using var biases = GuardedMemory.Of<float>(bias);
        using var y = new GuardedMemory(length * sizeof(float));
        new RowOps(widest).Dequantize((int*)accumulators.Pointer, 0.37f, At(rowScales), At(biases), length, At(y));
        Assert.Equal(expected, y.As<float>());
    });

    [Theory, MemberData(nameof(Widths))]
    public void Dequantize_of_int64_has_the_bits_of_the_reference_in_place_too(KernelIsa widest) => ForLengths((length, bias) =>
    {
        var acc = new long[length];
        foreach (ref var value in acc.AsSpan()) value = Random.Shared.NextInt64(-1L << 53, 1L << 53) >> Random.Shared.Next(53);
        var (scales, expected) = (Floats(length, length), new float[length]);
        RowReference.Dequantize(acc, 0.37f, scales, bias, expected);
        using var accumulators = GuardedMemory.Of<long>(acc);
        using var rowScales = GuardedMemory.Of<float>(scales);
        using var biases = GuardedMemory.Of<float>(bias);
        using var y = new GuardedMemory(length * sizeof(float));
        new RowOps(widest).Dequantize((long*)accumulators.Pointer, 0.37f, At(rowScales), At(biases), length, At(y));
        Assert.Equal(expected, y.As<float>());
        new RowOps(widest).Dequantize((long*)accumulators.Pointer, 0.37f, At(rowScales), At(biases), length, At(accumulators));
        Assert.Equal(expected, accumulators.As<float>()[..length]);
    });

    [Theory, MemberData(nameof(Widths))]
    public void Add_has_the_bits_of_the_reference(KernelIsa widest) => ForLengths((length, x) =>
    {
        var expected = Floats(length, length);
        using var input = GuardedMemory.Of<float>(x);
        using var y = GuardedMemory.Of<float>(expected);
        RowReference.Add(x, expected);
        new RowOps(widest).Add(At(input), length, At(y));
        Assert.Equal(expected, y.As<float>());
    });

    /// <summary>7.1.26 of Abramowitz and Stegun allows erf 1.5e-7, which |x| / 2 multiplies; float rounding adds as much.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Gelu_is_as_accurate_as_it_says(KernelIsa widest) => ForLengths((length, x) =>
    {
        var expected = new float[length];
        RowReference.Gelu(x, expected);
        using var y = GuardedMemory.Of<float>(x);
        new RowOps(widest).Gelu(At(y), length, At(y));
        for (var i = 0; i < length; i++) Assert.InRange(y.As<float>()[i] - expected[i], -RowOps.GeluError, RowOps.GeluError);
    });

    [Theory, MemberData(nameof(Widths))]
    public void Gelu_of_huge_numbers_is_the_number_or_0(KernelIsa widest)
    {
        using var y = GuardedMemory.Of<float>([float.MaxValue, float.MinValue, 1e20f, -1e20f, 0, 50, -50]);
        new RowOps(widest).Gelu(At(y), 7, At(y));
        float[] expected = [float.MaxValue, 0, 1e20f, 0, 0, 50, 0];
        for (var i = 0; i < expected.Length; i++) Assert.InRange(y.As<float>()[i] - expected[i], -1e-37f, 1e-37f);
    }

    [Theory, MemberData(nameof(Widths))]
    public void TableGelu_has_the_bits_of_the_reference(KernelIsa widest) => ForLengths((length, x) =>
    {
        var expected = new float[length];
        RowReference.TableGelu(x, expected);
        using var y = GuardedMemory.Of<float>(x);
        new RowOps(widest).TableGelu(At(y), length, At(y));
        Assert.Equal(expected, y.As<float>());
    });

    /// <summary>Steps of 1/1024 meet every line in its middle and at both ends.</summary>
    [Fact]
    public void TableGelu_is_as_accurate_as_it_says()
    {
        var x = Enumerable.Range(-8192, 16385).Select(i => i / 1024f).ToArray();
        var (expected, actual) = (new float[x.Length], new float[x.Length]);
        RowReference.Gelu(x, expected);
        RowReference.TableGelu(x, actual);
        for (var i = 0; i < x.Length; i++) Assert.InRange(actual[i] - expected[i], -GeluTable.Error, GeluTable.Error);
    }

    /// <summary>1e-5 of the row's largest magnitude: what the number contract allows floats.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void LayerNorm_agrees_with_double_arithmetic(KernelIsa widest) => ForLengths((length, x) =>
    {
        var offset = length == 0 ? 0 : x.Max();
        for (var i = 0; i < length; i++) x[i] += offset;
        var (gamma, beta, expected) = (Floats(1, length), Floats(2, length), new float[length]);
        RowReference.LayerNorm(x, gamma, beta, 1e-6f, expected);
        using var y = GuardedMemory.Of<float>(x);
        using var factors = GuardedMemory.Of<float>(gamma);
        using var offsets = GuardedMemory.Of<float>(beta);
        new RowOps(widest).LayerNorm(At(y), At(factors), At(offsets), 1e-6f, length, At(y));
        AssertClose(expected, y.As<float>(), 1e-5f);
    });

    [Theory, MemberData(nameof(Widths))]
    public void Softmax_agrees_with_double_arithmetic(KernelIsa widest) => ForLengths((length, x) =>
    {
        using var y = GuardedMemory.Of<float>(x);
        new RowOps(widest).Softmax(At(y), 0.7f, length);
        RowReference.Softmax(x, 0.7f);
        AssertClose(x, y.As<float>(), 1e-5f);
    });

    [Theory, MemberData(nameof(Widths))]
    public void Softmax_of_finite_numbers_is_finite(KernelIsa widest)
    {
        using var y = GuardedMemory.Of<float>([float.MaxValue, float.MinValue, 0, float.MaxValue]);
        new RowOps(widest).Softmax(At(y), 8, 4);
        var values = y.As<float>();
        Assert.Equal([0.5f, 0.5f], [values[0], values[3]]);
        Assert.InRange(values[1], 0, 1e-37f);
    }

    static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float relative)
    {
        var largest = 0f;
        foreach (var value in expected) largest = MathF.Max(largest, MathF.Abs(value));
        for (var i = 0; i < expected.Length; i++) Assert.InRange(actual[i] - expected[i], -relative * largest, relative * largest);
    }

    /// <summary>Operators that do not sum have the same bits in every width, the scalar one included.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Gelu_has_the_same_bits_in_every_width(KernelIsa widest) => ForLengths((length, x) =>
    {
        using var scalar = GuardedMemory.Of<float>(x);
        using var vector = GuardedMemory.Of<float>(x);
        new RowOps(KernelIsa.Reference).Gelu(At(scalar), length, At(scalar));
        new RowOps(widest).Gelu(At(vector), length, At(vector));
        Assert.Equal(scalar.Bytes, vector.Bytes);
    });
}
