using ShiftAddVit.Fitting;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Fitting;

/// <summary>What is fitted is found again where it is known.</summary>
public class FittingTests
{
    static readonly FloatProducts Products = new(KernelRegistry.Default);

    static float[] Normal(int seed, int count) => TinyModels.Normal(new(seed), count, 1);

    static float[] Ones(int count) => [.. Enumerable.Repeat(1f, count)];

    [Fact]
    public void Products_of_matrices()
    {
        float[] a = [1, 2, 3, 4, 5, 6], b = [1, 0, 2, -1, 3, 1];
        Assert.Equal([7, 8, 16, 17], Products.ByRows(a, b, 3));
        Assert.Equal([1 + 4 + 9, 0 - 2 + 3, 4 + 10 + 18, 0 - 5 + 6], Products.ByColumns(a, b, 3));
        Assert.Equal([1, 2, 3, 4, 5, 6], FloatProducts.Transposed(FloatProducts.Transposed(a, 2), 3));
        Assert.Equal(Products.ByColumns(FloatProducts.Transposed(a, 3), b, 3), Products.Gram(a, b, 3));
        Assert.Equal([2, 3, 5, 6], FloatProducts.Columns(a, 3, 1, 2));
    }

    [Fact]
    public void Least_squares_find_the_solution_and_a_penalty_draws_it_to_the_prior()
    {
        var squares = new LeastSquares(3, 2);
        var (random, x) = (new Random(1), (double[])[1, -2, 0.5, 3, -1, 0]);
        for (var s = 0; s < 20; s++)
        {
            double[] f = [random.NextDouble(), random.NextDouble(), random.NextDouble()];
            squares.Add(f, [f[0] * x[0] + f[1] * x[2] + f[2] * x[4], f[0] * x[1] + f[1] * x[3] + f[2] * x[5]], 1 + random.NextDouble());
        }
        Assert.All(x.Zip(squares.Solve(new double[3])), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
        double[] prior = [7, 7, 7, 7, 7, 7];
        Assert.All(squares.Solve([1e9, 1e9, 1e9], prior), value => Assert.Equal(7, value, 1e-6));
    }

    /// <summary>Scores that are temperature and key bias exactly: one step of weighted least squares finds them, and a Newton step leaves them.</summary>
    [Fact]
    public void Temperature_and_key_bias_are_found_again()
    {
        const int n = 30, width = 6;
        var (w, fit) = (Normal(1, width), new LogitFit(width, hasCodes: true, hasKeyBias: true));
        for (var step = 0; step < 2; step++)
        {
            for (var image = 0; image < 4; image++)
            {
                var (x, z) = (Normal(10 + image, n * width), Normal(20 + image, n * n));
                var bias = Products.ByRows(x, w, width);
                var scores = new float[n * n];
                for (var i = 0; i < scores.Length; i++) scores[i] = 0.7f * z[i] + bias[i % n];
                fit.Add(Products, x, z, new([], [], [], scores, TeacherHead.Softmax(scores, n)), Ones(n));
            }
            fit.Step(ridge: 1e-9);
            Assert.Equal(0.7, fit.Temperature, 1e-4);
            for (var c = 0; c < width; c++) Assert.Equal(w[c], fit.KeyBias[c], 1e-3);
        }
    }

    [Fact]
    public void A_projection_is_found_again_and_its_error_is_what_is_left()
    {
        const int n = 50, width = 8;
        var weights = Normal(3, width * width);
        var teacher = new Linear("proj", LinearRole.Projection, new DenseWeight(new(new(width, width), weights)), new(new(width), Normal(4, width)));
        var images = Enumerable.Range(0, 8).Select(image =>
        {
            var y = Normal(30 + image, n * width);
            var target = Products.ByRows(y, weights, width);
            for (var i = 0; i < target.Length; i++) target[i] += 3 + i % width;
            return (y, target);
        }).ToArray();
        var (projection, error) = ProjectionFit.Run(Products, teacher, heads: 2, images, Ones(n));
        Assert.Equal(0, error, 1e-4);
        Assert.All(weights.Zip(projection.Weight.ToFloat32().Memory.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 0.02));
        Assert.All(Enumerable.Range(0, width), i => Assert.Equal(3 + i, projection.Bias!.Values[i], 0.05));
        var noise = images.Select((image, i) => (image.y, Normal(50 + i, n * width)));
        Assert.InRange(ProjectionFit.Run(Products, teacher, heads: 2, noise, Ones(n)).Error, 0.9, 1.0);
    }

    [Fact]
    public void Maps_bring_products_of_codes_nearer_to_those_of_queries_and_keys()
    {
        const int d = 8, n = 400;
        // Channels of very different size: signs alone lose which of them count.
        var (q, k) = (Normal(5, n * d), Normal(6, n * d));
        for (var i = 0; i < q.Length; i++) (q[i], k[i]) = (q[i] * (1 + i % d), k[i] * (1 + i % d));
        var (a, b) = CodeMaps.Fit(Products, q, k, d, signed: true);
        Assert.True(Correlation(Codes(q, a), Codes(k, b)) > Correlation(StudentHead.Code(q, true), StudentHead.Code(k, true)) + 0.15);

        float[] Codes(float[] rows, float[] map) => StudentHead.Code(Products.ByRows(rows, map, d), signed: true);

        double Correlation(float[] bq, float[] bk)
        {
            var (x, y) = (Products.ByRows(q, k, d), Products.ByRows(bq, bk, d));
            double Mean(Func<int, double> of) => Enumerable.Range(0, x.Length).Average(of);
            var (mx, my) = (Mean(i => x[i]), Mean(i => y[i]));
            return Mean(i => (x[i] - mx) * (y[i] - my)) / Math.Sqrt(Mean(i => Math.Pow(x[i] - mx, 2)) * Mean(i => Math.Pow(y[i] - my, 2)));
        }
    }

    [Theory]
    [InlineData(AttentionKind.Taylor), InlineData(AttentionKind.Angular)]
    public void Neighbours_are_found_again(AttentionKind kind)
    {
        var architecture = TinyModels.Architecture;
        var (fit, truth) = (new NeighbourFit(architecture, AttentionForm.Default(kind, architecture.HeadSize)), new Dictionary<int, double>());
        var size = architecture.Tokens * architecture.Width;
        // Every token's target is the value of the one on its right, and twice what attended.
        for (var image = 0; image < 20; image++)
        {
            var (heads, values) = (Heads(100 + image), Normal(200 + image, size));
            fit.Add(heads, values, Target(heads, values), Ones(architecture.Tokens));
        }
        fit.Solve();
        var (unseen, unseenValues) = (Heads(1), Normal(2, size));
        var (expected, actual) = (Target(unseen, unseenValues), fit.Apply(unseen, unseenValues));
        // An angular head's factor is the projection's business.
        var factor = kind == AttentionKind.Angular ? 2 : 1;
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, factor * pair.Second, 0.02));

        HeadOutput[] Heads(int seed) =>
            [.. Enumerable.Range(0, architecture.Heads).Select(h => new HeadOutput(Normal(seed + 1000 * h, size / architecture.Heads), new float[architecture.HeadSize]))];

        float[] Target(HeadOutput[] heads, float[] values) => [.. Enumerable.Range(0, size).Select(i =>
        {
            var (token, c) = Math.DivRem(i, architecture.Width);
            var attended = heads[c / architecture.HeadSize].Attended[token * architecture.HeadSize + c % architecture.HeadSize];
            return 2 * attended + Right(values, token, c);
        })];

        float Right(float[] values, int token, int c)
        {
            var onGrid = kind == AttentionKind.Taylor;
            if (onGrid && (token < architecture.PrefixTokens || (token - architecture.PrefixTokens) % architecture.GridSide == architecture.GridSide - 1)) return 0;
            return token + 1 < architecture.Tokens ? values[(token + 1) * architecture.Width + c] : 0;
        }
    }

    public static TheoryData<AttentionKind, CodeRule> Forms =>
        [.. from kind in Enum.GetValues<AttentionKind>() where kind != AttentionKind.Softmax from codes in AttentionForm.CodesOf(kind) select (kind, codes)];

    /// <summary>A whole fit: of finite parameters that the file can hold, the same each time, whatever the threads.</summary>
    [Theory, MemberData(nameof(Forms))]
    public void A_model_is_fitted(AttentionKind kind, CodeRule codes)
    {
        const int images = 8;
        var dense = TinyModels.Create();
        var converted = AttentionPass.Apply(dense, AttentionForm.Default(kind, dense.Architecture.HeadSize, codes), LayerSelection.All);
        var (fitted, again) = (Fit(threads: 1), Fit(threads: 3));
        Assert.Equal(ShiftAddVit.Packing.PackedModel.Pack(again.Graph).Sha256, ShiftAddVit.Packing.PackedModel.Pack(fitted.Graph).Sha256);
        Assert.Equal(dense.Blocks.Length, fitted.Changes.Length);
        Assert.All(fitted.Changes, change => Assert.InRange(change.RelativeError!.Value, 0, 1));
        fitted.Graph.MapTensors((name, tensor) =>
        {
            Assert.True(Finite.All(tensor.Values), name);
            return tensor;
        });
        Assert.EndsWith($"attention fitted to {images} images", fitted.Graph.Provenance.Steps[^1], StringComparison.Ordinal);

        PassResult Fit(int threads) => AttentionFit.Apply(
            dense, converted, images, (i, image) => TinyModels.Images(dense.Architecture, 1, seed: i).CopyTo(image, 0), threads);
    }

    [Fact]
    public void Quantised_layers_are_refused()
    {
        var dense = LinearPass.Apply(TinyModels.Create(), WeightFormat.P4).Graph;
        var converted = AttentionPass.Apply(dense, AttentionForm.Default(AttentionKind.Taylor, dense.Architecture.HeadSize));
        var error = Assert.Throws<ShiftAddVitException>(() => AttentionFit.Apply(dense, converted, 1, (_, _) => { }, 1));
        Assert.Contains("blocks.0.attn.qkv is not dense", error.Message, StringComparison.Ordinal);
    }
}
