using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Suites;

/// <summary>What linear attention does around its sums, in every width, against the scalar definitions, to the bit, each buffer ending at a guard page.</summary>
public unsafe class LinearAttentionOpsTests
{
    const int Gap = 3, Taps = 9;

    static readonly int[] HeadSizes = [1, 3, 5, 8, 16, 20, 24, 32, 48, 64];

    static readonly int[] Counts = [1, 2, 3, 15, 16, 17, 31, 40, 64];

    public static TheoryData<KernelIsa> Widths => KernelRows.Widths;

    static float* Floats(GuardedMemory memory) => (float*)memory.Pointer;

    [Theory, MemberData(nameof(Widths))]
    public void Weights_are_the_softmax_of_biases(KernelIsa widest)
    {
        foreach (var n in Counts)
            foreach (var spread in (ReadOnlySpan<float>)[0, 1, 100])
            {
                var beta = KernelRows.RandomFloats(new(n), n, spread);
                using var x = GuardedMemory.Of<float>(beta);
                using var w = new GuardedMemory(n * sizeof(float));
                new LinearAttentionOps(widest).Weigh(Floats(x), n, Floats(w));
                Assert.Equal(LinearAttentionReference.Weigh(beta), w.As<float>());
                if (spread == 0) Assert.All(w.As<float>().ToArray(), weight => Assert.Equal(1f / n, weight));
            }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Codes_and_magnitudes_do_not_depend_on_the_width(KernelIsa widest)
    {
        for (var d = 1; d <= 64; d++)
        {
            var y = KernelRows.RandomFloats(new(d), d);
            (y[0], y[d / 2]) = (0, -0f);
            using var x = GuardedMemory.Of<float>(y);
            ulong code;
            var magnitude = new RowOps(widest).Code(Floats(x), d, &code);
            Assert.Equal(LinearAttentionReference.Code(y), (code, magnitude));
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Means_are_weighted_in_the_order_of_the_tokens(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
            foreach (var n in Counts)
            {
                var (w, v) = (KernelRows.RandomFloats(new(n), n), KernelRows.RandomFloats(new(d), n * d));
                using var weights = GuardedMemory.Of<float>(w);
                using var values = GuardedMemory.Of<float>(Spread(v, d));
                using var mean = new GuardedMemory(d * sizeof(float));
                new LinearAttentionOps(widest).Mean(Floats(weights), Floats(values), d + Gap, n, d, Floats(mean));
                Assert.Equal(LinearAttentionReference.Mean(w, v), mean.As<float>());
            }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Taylor_outputs_are_combined(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
            foreach (var (side, prefix) in (ReadOnlySpan<(int, int)>)[(1, 1), (2, 2), (3, 1), (5, 2)])
                foreach (var convolves in (ReadOnlySpan<bool>)[false, true])
                {
                    var combine = new Case(new(d), d, prefix + side * side, side, prefix);
                    var y = combine.Run(widest, convolves ? Taps * d : 0, (ops, o) => ops.CombineTaylor(o));
                    combine.Check(y, (t, c) =>
                    {
                        var (v, i) = (combine.Values, t * d + c);
                        var x = LinearAttentionReference.Taylor(
                            combine.Sums[i] + combine.Offsets[c], combine.Factors[t], combine.Scales[c], combine.Mean[c], combine.Skip[c], v[i]);
                        float[] filter = [.. Enumerable.Range(0, Taps).Select(k => combine.Filters[k * d + c])];
                        return convolves ? LinearAttentionReference.AddGrid(x, filter, v, d, t, c, prefix, side) : x;
                    });
                }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Angular_outputs_are_combined(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
            foreach (var n in (ReadOnlySpan<int>)[1, 2, 5, 9, 14])
                foreach (var convolves in (ReadOnlySpan<bool>)[false, true])
                {
                    var combine = new Case(new(d), d, n, 1, 1);
                    var y = combine.Run(widest, convolves ? Taps : 0, (ops, o) => ops.CombineAngular(o));
                    combine.Check(y, (t, c) =>
                    {
                        int[] sums = [.. Enumerable.Range(0, d).Select(k => combine.Sums[t * d + k] + combine.Offsets[k])];
                        var x = LinearAttentionReference.Angular(sums, combine.Scales, combine.Values.AsSpan(t * d, d))[c];
                        return convolves ? LinearAttentionReference.AddTokens(x, combine.Filters.AsSpan(0, Taps), combine.Values, d, t, c) : x;
                    });
                }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Ecoformer_outputs_are_combined(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
        {
            var combine = new Case(new(d), d, 5, 1, 1);
            var y = combine.Run(widest, 0, (ops, o) => ops.CombineEcoFormer(o));
            combine.Check(y, (t, c) => (combine.Sums[t * d + c] + combine.Offsets[c]) * (combine.Factors[t] * combine.Scales[c]));
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Hashes_have_the_bits_of_the_definition(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
            foreach (var bits in (ReadOnlySpan<int>)[1, 5, 16, 17, 64])
            {
                const int rows = 4, anchors = 25;
                var random = new Random(bits);
                var x = KernelRows.RandomFloats(random, rows * d);
                x.AsSpan(d, d).Clear();
                var (points, mean) = (KernelRows.RandomFloats(random, anchors * d), KernelRows.RandomFloats(random, anchors));
                var projection = KernelRows.RandomFloats(random, bits * anchors);
                using var values = GuardedMemory.Of<float>(Spread(x, d));
                using var columns = GuardedMemory.Of<float>(Columns(points, anchors, d));
                using var means = GuardedMemory.Of<float>(Columns(mean, anchors, 1));
                using var projections = GuardedMemory.Of<float>(Columns(projection, bits, anchors));
                using var codes = new GuardedMemory(rows * sizeof(ulong));
                new HashOps(widest).Run(new()
                {
                    Rows = rows, HeadSize = d, Anchors = anchors, Bits = bits, X = Floats(values), XStride = d + Gap, AnchorColumns = Floats(columns),
                    Mean = Floats(means), ProjectionColumns = Floats(projections), Factor = -0.5f / 1.5f, Codes = (ulong*)codes.Pointer,
                });
                for (var row = 0; row < rows; row++)
                    Assert.Equal(LinearAttentionReference.Hash(x.AsSpan(row * d, d), points, 1.5f, mean, projection), codes.As<ulong>()[row]);
            }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Biased_softmax_has_the_bits_of_the_definition(KernelIsa widest)
    {
        foreach (var n in Counts)
            foreach (var spread in (ReadOnlySpan<float>)[0, 0.1f, 5])
            {
                const int rows = 9;
                var (random, stride, padded) = (new Random(n), n + Gap, AttentionOps.Padded(n));
                int[] acc = [.. Enumerable.Range(0, (rows - 1) * stride + n).Select(_ => random.Next(-64, 65))];
                var (sk, beta, scales) = (KernelRows.RandomFloats(random, n, spread), KernelRows.RandomFloats(random, n), KernelRows.RandomFloats(random, rows));
                using var scores = GuardedMemory.Of<int>(acc);
                using var keyScales = GuardedMemory.Of<float>(sk);
                using var biases = GuardedMemory.Of<float>(beta);
                using var rowScales = GuardedMemory.Of<float>(scales);
                using var factors = new GuardedMemory(rows * sizeof(float));
                using var p = new GuardedMemory(rows * padded);
                new AttentionOps(widest).BiasedSoftmax(new()
                {
                    Rows = rows, Keys = n, Scores = (int*)scores.Pointer, ScoreStride = stride, KeyScales = Floats(keyScales), Biases = Floats(biases),
                    RowScales = Floats(rowScales), Factors = Floats(factors), Probabilities = p.Pointer,
                });
                for (var row = 0; row < rows; row++)
                {
                    var expected = new byte[padded];
                    var sum = LinearAttentionReference.BiasedSoftmax(acc.AsSpan(row * stride, n), scales[row], sk, beta, expected.AsSpan(0, n));
                    Assert.Equal(expected, p.Bytes.Slice(row * padded, padded));
                    Assert.Equal(1f / sum, factors.As<float>()[row]);
                }
            }
    }

    /// <summary>Rows with gaps between them.</summary>
    static float[] Spread(float[] rows, int columns)
    {
        var spread = new float[(rows.Length / columns - 1) * (columns + Gap) + columns];
        for (var i = 0; i < rows.Length; i++) spread[i / columns * (columns + Gap) + i % columns] = rows[i];
        return spread;
    }

    /// <summary>[columns, padded rows] of [rows, columns].</summary>
    static float[] Columns(float[] values, int rows, int columns)
    {
        var transposed = new float[columns * HashOps.Padded(rows)];
        for (var i = 0; i < values.Length; i++) transposed[i % columns * HashOps.Padded(rows) + i / columns] = values[i];
        return transposed;
    }

    /// <summary>Sums of all tokens of a head, combined in blocks.</summary>
    sealed class Case(Random random, int d, int n, int side, int prefix)
    {
        const int BlockTokens = 4;

        public int[] Sums { get; } = [.. Enumerable.Range(0, n * d).Select(_ => random.Next(-1_000_000, 1_000_000))];

        public int[] Offsets { get; } = [.. Enumerable.Range(0, d).Select(_ => random.Next(-10_000, 10_000))];

        public float[] Scales { get; } = KernelRows.RandomFloats(random, d, 1e-5f);

        public float[] Factors { get; } = KernelRows.RandomFloats(random, n);

        public float[] Values { get; } = KernelRows.RandomFloats(random, n * d);

        public float[] Mean { get; } = KernelRows.RandomFloats(random, d);

        public float[] Skip { get; } = KernelRows.RandomFloats(random, d);

        public float[] Filters { get; } = KernelRows.RandomFloats(random, Taps * d);

        public float[] Run(KernelIsa widest, int filterLength, Action<LinearAttentionOps, CombineOperands> combine)
        {
            using var sums = GuardedMemory.Of<int>(Sums);
            using var offsets = GuardedMemory.Of<int>(Offsets);
            using var scales = GuardedMemory.Of<float>(Scales);
            using var factors = GuardedMemory.Of<float>(Factors);
            using var values = GuardedMemory.Of<float>(Spread(Values, d));
            using var mean = GuardedMemory.Of<float>(Mean);
            using var skip = GuardedMemory.Of<float>(Skip);
            using var filters = GuardedMemory.Of<float>(Filters.AsSpan(0, filterLength));
            using var output = new GuardedMemory(((n - 1) * (d + Gap) + d) * sizeof(float));
            for (var first = 0; first < n; first += BlockTokens)
                combine(new(widest), new()
                {
                    Tokens = int.Min(BlockTokens, n - first), First = first, AllTokens = n, HeadSize = d,
                    Sums = (int*)sums.Pointer + first * d, SumStride = d, Offsets = (int*)offsets.Pointer, Scales = Floats(scales),
                    Factors = Floats(factors) + first, Values = Floats(values), ValueStride = d + Gap, Output = Floats(output) + first * (d + Gap),
                    OutputStride = d + Gap, Mean = Floats(mean), Skip = Floats(skip), Filters = filterLength == 0 ? null : Floats(filters), FilterStride = d,
                    PrefixTokens = prefix, GridSide = side,
                });
            return output.As<float>().ToArray();
        }

        public void Check(float[] y, Func<int, int, float> expected)
        {
            for (var t = 0; t < n; t++)
                for (var c = 0; c < d; c++)
                    Assert.True(expected(t, c).Equals(y[t * (d + Gap) + c]), $"token {t} of {n}, channel {c} of {d}: {expected(t, c)} {y[t * (d + Gap) + c]}");
        }
    }
}
