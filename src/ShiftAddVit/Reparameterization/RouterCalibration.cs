using System.Globalization;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reparameterization;

/// <summary>Some of the tokens that enter a layer.</summary>
/// <param name="Columns">K.</param>
/// <param name="Values">[T,K].</param>
public sealed record TokenSample(int Columns, float[] Values);

/// <summary>
/// Routers without training: a given share of the tokens goes to the last expert, those where it differs least from the first, and the rest
/// to the first. What a token's difference is, log ||(W_first - W_last) x||^2, is predicted from x by ridge regression (of MLPs: of their first
/// layers); the threshold is the quantile of the predictions. Experts between get no tokens.
/// </summary>
public static class RouterCalibration
{
    /// <summary>Of the mean of the moment's diagonal: what is added to it.</summary>
    const double Damping = 1e-3;

    /// <summary>A logit with a gate of 0.999, and the share of the tokens whose gates may be less.</summary>
    const double SureLogit = 7, Unsure = 0.05;

    /// <summary>Below every logit of the two experts that are chosen.</summary>
    const float Never = -100;

    const double Tiny = 1e-30;

    /// <summary>Sets every router of a model.</summary>
    /// <param name="graph">A model with mixtures.</param>
    /// <param name="share">The share of the tokens for the last expert, between 0 and 1.</param>
    /// <param name="inputs">Tokens that enter each mixture, by <see cref="GraphMixture.Input"/>.</param>
    /// <param name="threads">Threads to use; the result does not depend on them.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is not between 0 and 1.</exception>
    /// <exception cref="ShiftAddVitException">The first and the last expert of a mixture do not differ, or its tokens overflow.</exception>
    public static PassResult Apply(VitGraph graph, double share, IReadOnlyDictionary<string, TokenSample> inputs, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(inputs);
        if (!(share > 0 && share < 1)) throw new ArgumentOutOfRangeException(nameof(share), share, "not between 0 and 1");
        GraphMixture[] mixtures = [.. graph.Mixtures()];
        var routers = new Linear[mixtures.Length];
        Parallel.For(0, mixtures.Length, new() { MaxDegreeOfParallelism = threads }, i => routers[i] = Router(mixtures[i], share, inputs[mixtures[i].Input], graph));
        var byName = routers.ToDictionary(router => router.Name);
        var calibrated = graph.MapLinears(linear => byName.GetValueOrDefault(linear.Name) ?? linear);
        var step = string.Create(CultureInfo.InvariantCulture, $"routers send {share:P0} of the tokens to the last expert");
        return new(
            calibrated with { Provenance = graph.Provenance.With(step) },
            [.. routers.Select(router => new LayerChange(router.Name, "constant", string.Create(CultureInfo.InvariantCulture, $"share {share:0.##}")))]);
    }

    static Linear Router(GraphMixture mixture, double share, TokenSample sample, VitGraph graph)
    {
        var (k, experts) = (sample.Columns, mixture.Experts.Length);
        var (weights, intercept) = Fit(sample, Differences(mixture, sample), graph, mixture.Name);
        var predictions = sample.Values.Chunk(k).Select(x => Predict(weights, intercept, x)).Order().ToArray();
        var threshold = Quantile(predictions, share);
        var margin = Quantile([.. predictions.Select(value => Math.Abs(value - threshold)).Order()], Unsure);
        if (!(margin > 0)) throw new ShiftAddVitException($"{graph.Provenance.Source}: the first and the last expert of {mixture.Name} do not differ");
        var scale = SureLogit / margin;
        var (w, b) = (new float[experts * k], new float[experts]);
        Array.Fill(b, Never);
        for (var i = 0; i < k; i++) w[i] = (float)(scale * weights[i]);
        (b[0], b[^1]) = ((float)(scale * (intercept - threshold)), 0);
        return mixture.Router with { Weight = new DenseWeight(new(new(experts, k), w)), Bias = new(new(experts), b) };
    }

    /// <summary>log ||(W_first - W_last) x||^2 of each token.</summary>
    static double[] Differences(GraphMixture mixture, TokenSample sample)
    {
        var (first, last) = (mixture.Experts[0][0].Weight.ToFloat32().Memory, mixture.Experts[^1][0].Weight.ToFloat32().Memory);
        var difference = new double[first.Length];
        for (var i = 0; i < difference.Length; i++) difference[i] = (double)first.Span[i] - last.Span[i];
        return [.. sample.Values.Chunk(sample.Columns).Select(row => Difference(difference, [.. row.Select(value => (double)value)]))];
    }

    static double Difference(double[] weights, double[] x)
    {
        double sum = 0;
        for (var at = 0; at < weights.Length; at += x.Length)
        {
            var y = Cholesky.Dot(weights.AsSpan(at, x.Length), x);
            sum += y * y;
        }
        return Math.Log(sum + Tiny);
    }

    /// <summary>The a and c with the least SUM (a.x + c - t)^2 + damping ||a||^2: of what deviates from the means (C + damping) a = r.</summary>
    static (double[] Weights, double Intercept) Fit(TokenSample sample, double[] targets, VitGraph graph, string layer)
    {
        var (k, count) = (sample.Columns, targets.Length);
        var (means, target) = (new double[k], targets.Average());
        for (var i = 0; i < sample.Values.Length; i++) means[i % k] += sample.Values[i] / (double)count;
        // Columns of the tokens' deviations, so that an element of the moment is a dot product.
        var columns = new double[k * count];
        for (var i = 0; i < sample.Values.Length; i++) columns[i % k * count + i / k] = sample.Values[i] - means[i % k];
        double[] deviations = [.. targets.Select(t => t - target)];
        var (moment, right) = (new double[k * k], new double[k]);
        for (var i = 0; i < k; i++)
        {
            var column = columns.AsSpan(i * count, count);
            right[i] = Cholesky.Dot(column, deviations);
            for (var j = 0; j <= i; j++) moment[i * k + j] = Cholesky.Dot(column, columns.AsSpan(j * count, count));
        }
        var weights = Solve(moment, right, graph, layer);
        return (weights, target - Cholesky.Dot(weights, means));
    }

    static double[] Solve(double[] moment, double[] right, VitGraph graph, string layer)
    {
        var k = right.Length;
        var damping = Damping * Enumerable.Range(0, k).Average(i => moment[i * k + i]);
        for (var i = 0; i < k; i++) moment[i * k + i] += damping;
        try
        {
            Cholesky.Factor(moment, k);
        }
        catch (ArithmeticException e)
        {
            throw new ShiftAddVitException($"{graph.Provenance.Source}: {layer}: the calibration images overflow its inputs, or do not differ", e);
        }
        Cholesky.InvertLower(moment, k);
        // A^-1 r = L^-T (L^-1 r).
        var (half, solution) = (new double[k], new double[k]);
        for (var i = 0; i < k; i++) half[i] = Cholesky.Dot(moment.AsSpan(i * k, i + 1), right.AsSpan(0, i + 1));
        for (var i = 0; i < k; i++)
            for (var j = 0; j <= i; j++) solution[j] += moment[i * k + j] * half[i];
        return solution;
    }

    static double Predict(double[] weights, double intercept, float[] x)
    {
        for (var i = 0; i < x.Length; i++) intercept += weights[i] * x[i];
        return intercept;
    }

    static double Quantile(double[] sorted, double share) => sorted[Math.Min((int)(share * sorted.Length), sorted.Length - 1)];
}
