using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Fitting;

/// <summary>
/// Fits what linear attention adds of a token's own value and of its neighbours' by least squares of the teacher's outputs of the heads. Taylor:
/// gain, skip and the nine taps of the grid for each channel. Angular: the nine taps along the tokens for each head, beside a factor that only the
/// projection sees. What is constant is left to the projection's bias.
/// </summary>
sealed class NeighbourFit
{
    const double TapRidge = 1e-3, GainRidge = 1e-6;

    /// <summary>A factor so small beside the taps that dividing by it means nothing.</summary>
    const double LeastFactor = 0.01;

    /// <summary>Features: what attended, the value itself (Taylor), taps.</summary>
    const int Attended = 0;

    readonly VitArchitecture _a;
    readonly bool _onGrid, _hasTaps;
    readonly LeastSquares[] _squares;
    readonly double[][] _solutions;

    /// <summary>Of each channel, SUM weight * feature and then of the target: what is the same for all tokens is left out of the fit by them.</summary>
    readonly double[][] _sums;

    double _count;

    public NeighbourFit(VitArchitecture architecture, AttentionForm form)
    {
        (_a, _onGrid, _hasTaps) = (architecture, form.Kind == AttentionKind.Taylor, form.Convolution);
        _squares = [.. Enumerable.Range(0, _onGrid ? _a.Width : _a.Heads).Select(_ => new LeastSquares(Features, 1))];
        _solutions = new double[_squares.Length][];
        _sums = [.. Enumerable.Range(0, _a.Width).Select(_ => new double[Features + 1])];
    }

    int Taps => _onGrid ? Convolutions.GridTaps : Convolutions.TokenTaps;

    /// <summary>The first of the taps; before them the value itself, on the grid.</summary>
    int FirstTap => _onGrid ? 2 : 1;

    int Features => FirstTap + Taps;

    /// <summary>g [C].</summary>
    public Tensor? Gain => _onGrid ? Of(Attended) : null;

    /// <summary>a [C].</summary>
    public Tensor? Skip => _onGrid ? Of(1) : null;

    /// <summary>[C,9] or [H,9].</summary>
    public Tensor Convolution
    {
        get
        {
            var values = new float[_solutions.Length * Taps];
            for (var i = 0; i < values.Length; i++) values[i] = (float)Tap(i / Taps, i % Taps);
            return new(new(_solutions.Length, Taps), values);
        }
    }

    /// <summary>Takes an image.</summary>
    /// <param name="heads">What attention made of it.</param>
    /// <param name="values">v [N,C].</param>
    /// <param name="target">The teacher's heads [N,C].</param>
    /// <param name="weights">[N].</param>
    public void Add(HeadOutput[] heads, float[] values, float[] target, float[] weights)
    {
        var feature = new double[Features];
        for (var c = 0; c < _a.Width; c++)
        {
            var (head, channel) = Math.DivRem(c, _a.HeadSize);
            for (var i = 0; i < _a.Tokens; i++)
            {
                if (weights[i] == 0) continue;
                feature[Attended] = heads[head].Attended[i * _a.HeadSize + channel];
                if (_onGrid) feature[1] = values[i * _a.Width + c];
                for (var tap = 0; tap < Taps && _hasTaps; tap++) feature[FirstTap + tap] = Neighbour(values, i, c, tap);
                double wanted = target[i * _a.Width + c] - heads[head].Mean[channel];
                _squares[_onGrid ? c : head].Add(feature, [wanted], weights[i]);
                for (var f = 0; f < Features; f++) _sums[c][f] += weights[i] * feature[f];
                _sums[c][Features] += weights[i] * wanted;
            }
        }
        _count += weights.Sum();
    }

    /// <summary>Solves for all channels or heads.</summary>
    public void Solve()
    {
        for (var c = 0; c < _a.Width; c++) Centre(_squares[_onGrid ? c : c / _a.HeadSize], _sums[c]);
        for (var i = 0; i < _squares.Length; i++)
        {
            var penalty = new double[Features];
            Array.Fill(penalty, 1e-9);
            penalty[Attended] += GainRidge * _squares[i].MeanDiagonal(Attended, 1);
            // Taps that are not asked for have no moments and stay 0.
            var size = TapRidge * _squares[i].MeanDiagonal(1, _onGrid ? 1 : Taps);
            for (var feature = 1; feature < Features; feature++) penalty[feature] += size;
            _solutions[i] = _squares[i].Solve(penalty);
        }
    }

    /// <summary>The outputs of the heads, [N,C].</summary>
    public float[] Apply(HeadOutput[] heads, float[] values)
    {
        var output = new float[_a.Tokens * _a.Width];
        for (var i = 0; i < output.Length; i++)
        {
            var (token, c) = Math.DivRem(i, _a.Width);
            var (head, channel) = Math.DivRem(c, _a.HeadSize);
            var solution = _solutions[_onGrid ? c : head];
            double y = heads[head].Mean[channel] + (_onGrid ? solution[Attended] : 1) * heads[head].Attended[token * _a.HeadSize + channel];
            if (_onGrid) y += solution[1] * values[i];
            for (var tap = 0; tap < Taps && _hasTaps; tap++) y += Tap(_onGrid ? c : head, tap) * Neighbour(values, token, c, tap);
            output[i] = (float)y;
        }
        return output;
    }

    void Centre(LeastSquares squares, double[] sums)
    {
        for (var i = 0; i < Features; i++)
        {
            for (var j = 0; j <= i; j++) squares.AddMoment(i, j, -sums[i] * sums[j] / _count);
            squares.AddCross(i, 0, -sums[i] * sums[Features] / _count);
        }
    }

    double Tap(int index, int tap)
    {
        var solution = _solutions[index];
        if (_onGrid) return solution[FirstTap + tap];
        var largest = solution.AsSpan(FirstTap, Taps).ToArray().Max(Math.Abs);
        return solution[FirstTap + tap] / Math.Max(solution[Attended], Math.Max(LeastFactor * largest, 1e-9));
    }

    /// <summary>The value that a tap of a token's filter sees; 0 beyond the ends, and on the grid of and for prefix tokens.</summary>
    double Neighbour(float[] values, int token, int c, int tap)
    {
        if (!_onGrid)
        {
            var at = token + tap - Taps / 2;
            return at >= 0 && at < _a.Tokens ? values[at * _a.Width + c] : 0;
        }
        if (token < _a.PrefixTokens) return 0;
        var (row, column) = Math.DivRem(token - _a.PrefixTokens, _a.GridSide);
        (row, column) = (row + tap / 3 - 1, column + tap % 3 - 1);
        if (row < 0 || column < 0 || row >= _a.GridSide || column >= _a.GridSide) return 0;
        return values[(_a.PrefixTokens + row * _a.GridSide + column) * _a.Width + c];
    }

    Tensor Of(int feature) => new(new(_solutions.Length), [.. _solutions.Select(solution => (float)solution[feature])]);
}
