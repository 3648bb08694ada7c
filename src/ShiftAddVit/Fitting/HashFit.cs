using ShiftAddVit.Models;

namespace ShiftAddVit.Fitting;

/// <summary>
/// Learns the hash of queries and keys, one for each head (kernelised supervised hashing, Liu et al. 2012, as EcoFormer does it): tokens whose products are
/// among the largest of a row should get equal bits, those among the smallest different ones. Bit after bit: some steps of gradient descent on
/// -y^T S y, y the softened bits, then what the bit explains is taken from S. Deterministic: random numbers come from a fixed seed.
/// </summary>
sealed class HashFit
{
    /// <summary>Images that hashes are learned from.</summary>
    public const int Images = 4;

    const int Seed = 1, Steps = 100, Neighbours = 10;
    const float Rate = 5e-4f, Momentum = 0.9f;

    /// <summary>Added to a squared length that is divided by.</summary>
    const float LengthEpsilon = 1e-12f;

    readonly HeadHash[] _heads;

    HashFit(HeadHash[] heads, VitArchitecture a, int bits)
    {
        _heads = heads;
        const int anchors = KernelHash.AnchorCount;
        Parameters = new(
            new(new(a.Heads, anchors, a.HeadSize), Joined(it => it.Anchors)), new(new(a.Heads), Joined(it => [it.Spread])),
            new(new(a.Heads, anchors), Joined(it => it.Mean)), new(new(a.Heads, bits, anchors), Joined(it => it.Projection)));
    }

    /// <summary>What was learned.</summary>
    public KernelHash Parameters { get; }

    /// <summary>Learns.</summary>
    /// <param name="products">The products.</param>
    /// <param name="a">The model.</param>
    /// <param name="bits">I.</param>
    /// <param name="images">Queries, keys and values of some images, [N,3C] each.</param>
    public static HashFit Run(FloatProducts products, VitArchitecture a, int bits, IEnumerable<float[]> images)
    {
        var all = images.ToArray();
        return new([.. Enumerable.Range(0, a.Heads).Select(head => Learn(products, [.. all.Select(qkv => Tokens(qkv, a, head))], a.HeadSize, bits, Seed + head))], a, bits);
    }

    /// <summary>Codes of rows [M,D], [M,I].</summary>
    public float[] Code(FloatProducts products, int head, float[] rows, bool signed)
    {
        var hash = _heads[head];
        var similarities = hash.Similarities(products, Normalized(rows, hash.HeadSize));
        return StudentHead.Code(products.ByRows(similarities, hash.Projection, KernelHash.AnchorCount), signed);
    }

    /// <summary>Queries, then keys, of length 1, [2N,D].</summary>
    static float[] Tokens(float[] qkv, VitArchitecture a, int head) =>
        [.. Enumerable.Range(0, 2).SelectMany(part => Normalized(FloatProducts.Columns(qkv, 3 * a.Width, part * a.Width + head * a.HeadSize, a.HeadSize), a.HeadSize))];

    static float[] Normalized(float[] rows, int d)
    {
        var result = (float[])rows.Clone();
        for (var i = 0; i < rows.Length; i += d)
        {
            var row = result.AsSpan(i, d);
            var square = LengthEpsilon;
            foreach (var value in row) square += value * value;
            foreach (ref var value in row) value /= MathF.Sqrt(square);
        }
        return result;
    }

    static HeadHash Learn(FloatProducts products, float[][] images, int d, int bits, int seed)
    {
        var (random, n) = (new Random(seed), images[0].Length / d);
        int[] order = [.. Enumerable.Range(0, n)];
        random.Shuffle(order);
        // A small model has fewer tokens than anchors: then some stand twice.
        var anchors = Enumerable.Range(0, KernelHash.AnchorCount).SelectMany(i => images[0].AsSpan(order[i % n] * d, d).ToArray()).ToArray();
        var hash = HeadHash.Of(products, anchors, d, images);
        var (kernels, targets) = (images.Select(x => hash.Similarities(products, x)).ToArray(), images.Select(x => Targets(products.ByRows(x, x, d), n, bits)).ToArray());
        var projection = Reparameterization.AttentionPass.Normal(random, bits * KernelHash.AnchorCount);
        for (var bit = 0; bit < bits; bit++)
        {
            var row = projection.AsSpan(bit * KernelHash.AnchorCount, KernelHash.AnchorCount);
            var start = row.ToArray();
            var learned = Descend(start, kernels, targets, n, bits);
            if (Agreement(learned, kernels, targets, n) > Agreement(start, kernels, targets, n)) learned.CopyTo(row);
            for (var image = 0; image < images.Length; image++) Explain(targets[image], Signs(Responses(row, kernels[image])));
        }
        return hash with { Projection = projection };
    }

    /// <summary>I times +1 for the largest products of a row, -1 for the smallest, else 0, [n,n].</summary>
    static float[] Targets(float[] similarities, int n, int bits)
    {
        var targets = new float[n * n];
        var (row, order) = (new float[n], new int[n]);
        for (var i = 0; i < n; i++)
        {
            similarities.AsSpan(i * n, n).CopyTo(row);
            for (var j = 0; j < n; j++) order[j] = j;
            Array.Sort(row, order);
            for (var j = 0; j < int.Min(Neighbours, n / 2); j++) (targets[i * n + order[j]], targets[i * n + order[n - 1 - j]]) = (-bits, bits);
        }
        return targets;
    }

    /// <summary>Descends with Nesterov's momentum on the mean over images of -y^T S y / (n I), y = 2 sigmoid(K a) - 1.</summary>
    static float[] Descend(float[] start, float[][] kernels, float[][] targets, int n, int bits)
    {
        var (a, momentum) = ((float[])start.Clone(), new float[start.Length]);
        for (var step = 0; step < Steps; step++)
        {
            var gradient = new float[a.Length];
            for (var image = 0; image < kernels.Length; image++)
            {
                var y = Responses(a, kernels[image]);
                for (var i = 0; i < n; i++) y[i] = 2 / (1 + MathF.Exp(-y[i])) - 1;
                var pull = Pull(targets[image], y);
                for (var i = 0; i < n; i++)
                {
                    var factor = -0.5f * (1 - y[i] * y[i]) * pull[i] / (kernels.Length * n * bits);
                    for (var k = 0; k < a.Length; k++) gradient[k] += factor * kernels[image][i * a.Length + k];
                }
            }
            for (var k = 0; k < a.Length; k++)
            {
                momentum[k] = step == 0 ? gradient[k] : Momentum * momentum[k] + gradient[k];
                a[k] -= Rate * (gradient[k] + Momentum * momentum[k]);
            }
        }
        return a;
    }

    /// <summary>(S + S^T) y.</summary>
    static float[] Pull(float[] s, float[] y)
    {
        var (n, pull) = (y.Length, new float[y.Length]);
        for (var i = 0; i < n; i++)
        {
            var row = s.AsSpan(i * n, n);
            var (own, sum) = (y[i], 0f);
            for (var j = 0; j < n; j++)
            {
                if (row[j] == 0) continue;
                sum += row[j] * y[j];
                pull[j] += row[j] * own;
            }
            pull[i] += sum;
        }
        return pull;
    }

    /// <summary>SUM over images of y^T S y of the bits.</summary>
    static double Agreement(ReadOnlySpan<float> a, float[][] kernels, float[][] targets, int n)
    {
        double sum = 0;
        for (var image = 0; image < kernels.Length; image++)
        {
            var y = Signs(Responses(a, kernels[image]));
            var pull = Pull(targets[image], y);
            for (var i = 0; i < n; i++) sum += 0.5 * y[i] * pull[i];
        }
        return sum;
    }

    /// <summary>S - y y^T.</summary>
    static void Explain(float[] s, float[] y)
    {
        for (var i = 0; i < s.Length; i++) s[i] -= y[i / y.Length] * y[i % y.Length];
    }

    static float[] Responses(ReadOnlySpan<float> a, float[] kernel)
    {
        var responses = new float[kernel.Length / a.Length];
        for (var i = 0; i < kernel.Length; i++) responses[i / a.Length] += kernel[i] * a[i % a.Length];
        return responses;
    }

    static float[] Signs(float[] values) => StudentHead.Code(values, signed: true);

    float[] Joined(Func<HeadHash, float[]> part) => [.. _heads.SelectMany(part)];

    /// <summary>The hash of a head.</summary>
    sealed record HeadHash(float[] Anchors, float Spread, float[] Mean, float[] Projection)
    {
        public int HeadSize => Anchors.Length / KernelHash.AnchorCount;

        /// <summary>Spread and mean over all tokens of the images.</summary>
        public static HeadHash Of(FloatProducts products, float[] anchors, int d, float[][] images)
        {
            var distances = images.SelectMany(x => Distances(products, anchors, x, d)).ToArray();
            var spread = distances.Average();
            var mean = new float[KernelHash.AnchorCount];
            for (var i = 0; i < distances.Length; i++) mean[i % mean.Length] += MathF.Exp(-distances[i] / (2 * spread)) * mean.Length / distances.Length;
            return new(anchors, spread, mean, []);
        }

        /// <summary>K_a - mean_a of rows of length 1, [M,A].</summary>
        public float[] Similarities(FloatProducts products, float[] rows)
        {
            var similarities = Distances(products, Anchors, rows, HeadSize);
            for (var i = 0; i < similarities.Length; i++) similarities[i] = MathF.Exp(-similarities[i] / (2 * Spread)) - Mean[i % Mean.Length];
            return similarities;
        }

        /// <summary>||x - anchor_a||^2 [M,A]: 2 - 2 x . anchor_a, both of length 1.</summary>
        static float[] Distances(FloatProducts products, float[] anchors, float[] rows, int d)
        {
            var distances = products.ByRows(rows, anchors, d);
            for (var i = 0; i < distances.Length; i++) distances[i] = 2 - 2 * distances[i];
            return distances;
        }
    }
}
