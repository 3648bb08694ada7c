namespace ShiftAddVit.Fitting;

/// <summary>
/// Fits logits tau z_ij + w . x_j of one head to those of softmax attention. What a row adds to all of its logits does not matter, so everything is
/// centred in rows; a logit counts as much as its probability. First weighted least squares on the teacher's scores under its probabilities, then
/// Newton steps on the cross entropy, which are least squares too, under the student's.
/// </summary>
/// <param name="width">C, inputs of the key bias w.</param>
/// <param name="hasCodes">Whether tau is fitted; otherwise it is 0.</param>
/// <param name="hasKeyBias">Whether w is fitted; otherwise it is 0.</param>
sealed class LogitFit(int width, bool hasCodes, bool hasKeyBias)
{
    LeastSquares _squares = new(width + 1, 1);
    double[] _solution = new double[width + 1];
    bool _started;

    /// <summary>tau.</summary>
    public double Temperature => _solution[0];

    /// <summary>w [C].</summary>
    public ReadOnlySpan<double> KeyBias => _solution.AsSpan(1);

    /// <summary>Takes an image: its rows count by <paramref name="rowWeights"/>.</summary>
    /// <param name="products">The products.</param>
    /// <param name="x">Normed tokens [N,C].</param>
    /// <param name="z">Products of the codes with their scales [N,N].</param>
    /// <param name="teacher">The head.</param>
    /// <param name="rowWeights">[N].</param>
    public void Add(FloatProducts products, float[] x, float[] z, TeacherHead teacher, float[] rowWeights)
    {
        var n = rowWeights.Length;
        var weights = _started ? TeacherHead.Softmax(Logits(x, z, n), n) : teacher.Probabilities;
        // What is to be explained: the teacher's scores at first, then what its probabilities have more than the student's.
        var pull = new float[n * n];
        for (var i = 0; i < n; i++)
        {
            var row = i * n;
            double mean = 0;
            for (var j = 0; j < n && !_started; j++) mean += weights[row + j] * teacher.Scores[row + j];
            for (var j = 0; j < n; j++)
                pull[row + j] = rowWeights[i] * (_started
                    ? teacher.Probabilities[row + j] - weights[row + j]
                    : weights[row + j] * (float)(teacher.Scores[row + j] - mean));
        }
        AddMoments(products, x, z, weights, pull, rowWeights);
    }

    /// <summary>Solves, and begins a further step.</summary>
    /// <param name="ridge">The penalty on w, as a share of the mean of its moments; it is measured from <paramref name="prior"/>.</param>
    /// <param name="prior">[C], or empty for 0.</param>
    public void Step(double ridge, ReadOnlySpan<double> prior = default)
    {
        var penalty = new double[width + 1];
        Array.Fill(penalty, hasKeyBias ? ridge * _squares.MeanDiagonal(1, width) + 1e-12 : 1e30, 1, width);
        penalty[0] = hasCodes ? 1e-9 * _squares.MeanDiagonal(0, 1) + 1e-30 : 1e30;
        var from = new double[width + 1];
        if (prior.Length > 0) prior.CopyTo(from.AsSpan(1));
        for (var i = 0; i <= width; i++) from[i] -= _solution[i];
        var step = _squares.Solve(penalty, from);
        for (var i = 0; i <= width; i++) _solution[i] += step[i];
        if (!hasCodes) _solution[0] = 0;
        if (!hasKeyBias) Array.Clear(_solution, 1, width);
        (_squares, _started) = (new(width + 1, 1), true);
    }

    /// <summary>tau z_ij + w . x_j.</summary>
    float[] Logits(float[] x, float[] z, int n)
    {
        var logits = new float[n * n];
        for (var j = 0; j < n; j++)
        {
            double bias = 0;
            for (var c = 0; c < width; c++) bias += _solution[1 + c] * x[j * width + c];
            for (var i = 0; i < n; i++) logits[i * n + j] = (float)(_solution[0] * z[i * n + j] + bias);
        }
        return logits;
    }

    /// <summary>Covariances of z and x under the weights of each row, and of both with the pull.</summary>
    void AddMoments(FloatProducts products, float[] x, float[] z, float[] weights, float[] pull, float[] rowWeights)
    {
        var n = rowWeights.Length;
        var means = products.ByColumns(weights, x, n);
        var (received, drawn, byCodes, meanCodes) = (new float[n], new float[n], new float[n], new float[n]);
        double codes = 0, cross = 0;
        for (var i = 0; i < n; i++)
        {
            double mean = 0, square = 0;
            for (var j = 0; j < n; j++)
            {
                var (w, value) = (weights[i * n + j] * rowWeights[i], z[i * n + j]);
                received[j] += w;
                drawn[j] += pull[i * n + j];
                byCodes[j] += w * value;
                mean += weights[i * n + j] * value;
                square += (double)weights[i * n + j] * value * value;
                cross += (double)pull[i * n + j] * value;
            }
            meanCodes[i] = (float)mean * rowWeights[i];
            codes += rowWeights[i] * (square - mean * mean);
        }
        _squares.AddMoment(0, 0, codes);
        _squares.AddCross(0, 0, cross);
        if (!hasKeyBias) return;
        _squares.AddMoment(products.Gram(Scaled(x, received), x, n), first: 1);
        _squares.AddMoment(products.Gram(Scaled(means, rowWeights), means, n), first: 1, sign: -1);
        var (shared, centred, pulled) = (products.Gram(x, byCodes, n), products.Gram(means, meanCodes, n), products.Gram(x, drawn, n));
        for (var c = 0; c < width; c++)
        {
            _squares.AddMoment(0, 1 + c, shared[c] - (double)centred[c]);
            _squares.AddCross(1 + c, 0, pulled[c]);
        }
    }

    /// <summary>Rows times a factor each.</summary>
    static float[] Scaled(float[] rows, float[] factors)
    {
        var (result, width) = (new float[rows.Length], rows.Length / factors.Length);
        for (var i = 0; i < rows.Length; i++) result[i] = rows[i] * factors[i / width];
        return result;
    }
}
