using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Packed values in every width and order against their scalar definition, to the bit, each buffer ending at a guard page.</summary>
public unsafe class ValuePackingTests
{
    const int Gap = 3;

    static readonly int[] HeadSizes = [1, 3, 4, 8, 12, 16, 24, 32, 48, 64, 80, 128];

    /// <summary>The orders of all kernels that attention could run on, and panels that cut vectors.</summary>
    static readonly PackFormat[] Orders =
    [
        .. KernelRows.Integer.Concat(KernelRows.AddTokens).Select(row => KernelRows.Find(row.Data))
            .Where(kernel => kernel.Name.B == NumberType.S8).Select(kernel => kernel.Packing),
        new(WeightFormat.S8, nr: 6, kGroup: 4, accumulatorStarts: true), new(WeightFormat.S8, nr: 5, kGroup: 2),
    ];

    public static TheoryData<KernelIsa> Widths => KernelRows.Widths;

    [Theory, MemberData(nameof(Widths))]
    public void Values_are_quantised_with_one_scale_a_channel(KernelIsa widest)
    {
        foreach (var order in Orders.Distinct())
            foreach (var d in HeadSizes)
                foreach (var n in (ReadOnlySpan<int>)[1, 2, 3, 4, 5, 11, 64])
                    foreach (var centred in (ReadOnlySpan<bool>)[false, true]) AssertPacked(widest, order, n, d, centred);
    }

    static void AssertPacked(KernelIsa widest, PackFormat order, int n, int d, bool centred)
    {
        var stride = d + Gap;
        var v = KernelRows.RandomFloats(new(n), (n - 1) * stride + d, 3);
        // A channel of zeros, a negligible one, and the largest magnitude in the last token.
        for (var j = 0; j < n; j++) (v[j * stride], v[j * stride + d / 2]) = (0, d / 2 == 0 ? 0 : 1e-31f * j);
        v[^1] = d > 2 ? -7 : 0;
        var (w, mu) = (KernelRows.RandomFloats(new(d), n), KernelRows.RandomFloats(new(d), d));
        using var values = GuardedMemory.Of<float>(v);
        using var weights = GuardedMemory.Of<float>(w);
        using var mean = GuardedMemory.Of<float>(mu);
        using var totals = new GuardedMemory(d * sizeof(int));
        using var packed = new GuardedMemory(order.ByteLength(d, ValuePacking.Inputs(n)));
        using var scales = new GuardedMemory(d * sizeof(float));
        new ValuePacking(widest).Pack(new()
        {
            Tokens = n, HeadSize = d, Values = (float*)values.Pointer, Stride = stride, Order = order, Packed = packed.Pointer, Scales = (float*)scales.Pointer,
            Weights = centred ? (float*)weights.Pointer : null, Mean = (float*)mean.Pointer, Totals = centred ? (int*)totals.Pointer : null,
        });
        var (expected, expectedScales) = (new sbyte[n * d], new float[d]);
        float[] rows = [.. Enumerable.Range(0, n).SelectMany(j => v.AsSpan(j * stride, d).ToArray())];
        AttentionReference.QuantizeValues(centred ? LinearAttentionReference.Centre(w, rows, mu) : rows, d, expected, expectedScales);
        Assert.Equal(expectedScales, scales.As<float>());
        for (var channel = 0; channel < d; channel++)
        {
            var panel = packed.Bytes[(int)(channel / order.Nr * order.PanelBytes(ValuePacking.Inputs(n)))..];
            var lane = channel % order.Nr;
            if (centred) Assert.Equal(Enumerable.Range(0, n).Sum(j => expected[j * d + channel]), totals.As<int>()[channel]);
            if (order.AccumulatorStarts) Assert.Equal(0, BitConverter.ToInt32(panel[(lane * sizeof(int))..]));
            for (var j = 0; j < ValuePacking.Inputs(n); j++)
            {
                var actual = (sbyte)panel[order.StartBytes + (j / order.KGroup * order.Nr + lane) * order.KGroup + j % order.KGroup];
                Assert.True((j < n ? expected[j * d + channel] : 0) == actual, $"{order}, value {j} of {n}, channel {channel} of {d}: {actual}");
            }
        }
    }
}
