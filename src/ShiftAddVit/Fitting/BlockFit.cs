using ShiftAddVit.Models;

namespace ShiftAddVit.Fitting;

/// <summary>
/// Fits the binary attention of one block to the softmax attention that it takes the place of, on tokens that entered that. Closed forms only, in
/// this order: thresholds are means; maps of queries and keys bring their codes' products nearer to their own (<see cref="CodeMaps"/>); temperature
/// and key bias by least squares of logits (<see cref="LogitFit"/>); gain, skip and convolution by least squares of the heads' outputs
/// (<see cref="NeighbourFit"/>); the projection by ridge regression of the block's output (<see cref="ProjectionFit"/>). Hashes alone are learned.
/// </summary>
sealed class BlockFit
{
    /// <summary>A penalty, as a share of the mean of the moments it is added to.</summary>
    const double KeyBiasRidge = 1e-3;

    /// <summary>Images that what has few unknowns is fitted to.</summary>
    const int FewImages = 64;

    readonly FloatProducts _products;
    readonly VitArchitecture _a;
    readonly AttentionForm _form;
    readonly BlockTokens _tokens;
    readonly Linear _qkv, _projection;
    readonly string _name;
    readonly float[] _rowWeights;

    /// <summary>The student's qkv [3C,C] and its bias [3C]: what is coded comes of these.</summary>
    readonly float[] _weights, _bias;

    readonly double[] _temperature;

    /// <summary>[H,C].</summary>
    readonly float[] _keyBias;

    NeighbourFit? _neighbours;
    HashFit? _hash;

    /// <param name="products">The products.</param>
    /// <param name="teacher">The block with softmax attention and dense layers.</param>
    /// <param name="architecture">Of the student.</param>
    /// <param name="block">Which block.</param>
    /// <param name="tokens">What enters and leaves the block's attention.</param>
    public BlockFit(FloatProducts products, Block teacher, VitArchitecture architecture, int block, BlockTokens tokens)
    {
        (_products, _a, _form, _tokens) = (products, architecture, architecture.Forms[block].Attention, tokens);
        (_qkv, _projection, _name) = ((Linear)teacher.Attention.Qkv, (Linear)teacher.Attention.Projection, $"blocks.{block}.attn");
        _weights = _qkv.Weight.ToFloat32().Values.ToArray();
        _bias = _qkv.Bias?.Values.ToArray() ?? new float[3 * Width];
        (_temperature, _keyBias) = (new double[_a.Heads], new float[_a.Heads * Width]);
        // Of the last block's tokens only the first are read.
        _rowWeights = new float[_a.Tokens];
        Array.Fill(_rowWeights, 1, 0, block == _a.Depth - 1 ? _a.PrefixTokens : _a.Tokens);
    }

    int Width => _a.Width;

    int HeadSize => _a.HeadSize;

    /// <summary>Fits; also says what share of the variance of the teacher's output is left.</summary>
    public (Attention Attention, double Error) Run()
    {
        SubtractMeans();
        if (_form.Codes == CodeRule.Ksh) _hash = HashFit.Run(_products, _a, _form.CodeBits, Few(HashFit.Images).Select(Qkv));
        else MapCodes();
        if (_form.Kind is AttentionKind.Quadratic or AttentionKind.Taylor) FitLogits();
        if (_form.Convolution || _form.Kind == AttentionKind.Taylor) FitNeighbours();
        var images = Enumerable.Range(0, _tokens.Images).Select(image => (Output(image), TeacherOutput(image)));
        var (fitted, error) = ProjectionFit.Run(_products, _projection, _a.Heads, images, _rowWeights);
        return (new(_qkv with { Weight = new DenseWeight(new(new(3 * Width, Width), _weights)), Bias = new(new(3 * Width), _bias) }, fitted, Parameters()), error);
    }

    /// <summary>Thresholds: what is taken from values too is added again by the projection's bias.</summary>
    void SubtractMeans()
    {
        var mean = new double[Width];
        for (var image = 0; image < _tokens.Images; image++)
        {
            var x = _tokens.Inputs(image);
            for (var i = 0; i < x.Length; i++) mean[i % Width] += (double)x[i] / (_a.Tokens * _tokens.Images);
        }
        for (var n = 0; n < (_form.Kind == AttentionKind.Angular ? 3 : 2) * Width; n++)
        {
            double value = _bias[n];
            for (var k = 0; k < Width; k++) value += _weights[n * Width + k] * mean[k];
            _bias[n] -= (float)value;
        }
    }

    void MapCodes()
    {
        var rows = Few(FewImages).Select(Qkv).ToArray();
        for (var head = 0; head < _a.Heads; head++)
        {
            var maps = CodeMaps.Fit(_products, Rows(head, 0), Rows(head, 1), HeadSize, _form.IsSigned);
            Map(head, 0, maps.Queries);
            Map(head, 1, maps.Keys);
        }

        float[] Rows(int head, int part) => [.. rows.SelectMany(qkv => Part(qkv, part, head))];

        void Map(int head, int part, float[] map)
        {
            var first = part * Width + head * HeadSize;
            var weights = _weights.AsSpan(first * Width, HeadSize * Width);
            var bias = _bias.AsSpan(first, HeadSize);
            _products.ByColumns(map, weights, HeadSize).CopyTo(weights);
            _products.ByColumns(map, bias, HeadSize).CopyTo(bias);
        }
    }

    void FitLogits()
    {
        var hasCodes = _form.Kind == AttentionKind.Quadratic;
        LogitFit[] fits = [.. Enumerable.Range(0, _a.Heads).Select(_ => new LogitFit(Width, hasCodes, _form.KeyBias))];
        for (var step = 0; step < 2; step++)
        {
            for (var image = 0; image < _tokens.Images; image++)
            {
                var (x, teacher, student) = (_tokens.Inputs(image), Teacher(image), Qkv(image));
                for (var head = 0; head < _a.Heads; head++)
                {
                    var z = hasCodes ? Student(student, head).ScaledProducts(_products) : new float[_a.Tokens * _a.Tokens];
                    fits[head].Add(_products, x, z, TeacherHead.Of(_products, teacher, Width, head, HeadSize), _rowWeights);
                }
            }
            foreach (var fit in fits) fit.Step(KeyBiasRidge);
        }
        for (var head = 0; head < _a.Heads; head++)
        {
            _temperature[head] = fits[head].Temperature;
            for (var c = 0; c < Width; c++) _keyBias[head * Width + c] = (float)fits[head].KeyBias[c];
        }
    }

    void FitNeighbours()
    {
        _neighbours = new(_a, _form);
        foreach (var image in Few(FewImages))
        {
            var qkv = Qkv(image);
            _neighbours.Add(Bases(image, qkv), Values(qkv), _tokens.Outputs(image), _rowWeights);
        }
        _neighbours.Solve();
    }

    /// <summary>What gain, skip and convolution are applied to: of each head the part that attends, and what is added whatever they are.</summary>
    HeadOutput[] Bases(int image, float[] qkv) => [.. Enumerable.Range(0, _a.Heads).Select(head => Attend(image, Student(qkv, head), head))];

    HeadOutput Attend(int image, StudentHead student, int head)
    {
        if (_form.Kind == AttentionKind.Taylor)
        {
            var (mean, deviation) = student.Taylor(_products, Beta(image, head));
            return new(deviation, mean);
        }
        var y = _form.Kind switch
        {
            AttentionKind.Quadratic => student.Quadratic(_products, student.ScaledProducts(_products), _temperature[head], Beta(image, head)),
            AttentionKind.Angular => student.Angular(_products),
            _ => student.EcoFormer(_products),
        };
        return new(y, new float[HeadSize]);
    }

    /// <summary>y [N,C].</summary>
    float[] Output(int image)
    {
        var qkv = Qkv(image);
        var bases = Bases(image, qkv);
        if (_neighbours is not null) return _neighbours.Apply(bases, Values(qkv));
        var output = new float[_a.Tokens * Width];
        for (var i = 0; i < output.Length; i++)
        {
            var (token, channel) = Math.DivRem(i, Width);
            output[i] = bases[channel / HeadSize].Attended[token * HeadSize + channel % HeadSize];
        }
        return output;
    }

    /// <summary>T [N,C].</summary>
    float[] TeacherOutput(int image)
    {
        var target = _products.ByRows(_tokens.Outputs(image), _projection.Weight.ToFloat32().Values, Width);
        for (var i = 0; i < target.Length; i++) target[i] += _projection.Bias?.Values[i % Width] ?? 0;
        return target;
    }

    StudentHead Student(float[] qkv, int head)
    {
        var (q, k, ones) = (Part(qkv, 0, head), Part(qkv, 1, head), Enumerable.Repeat(1f, _a.Tokens).ToArray());
        return new(
            _hash?.Code(_products, head, q, _form.IsSigned) ?? StudentHead.Code(q, _form.IsSigned),
            _hash?.Code(_products, head, k, _form.IsSigned) ?? StudentHead.Code(k, _form.IsSigned),
            _form.CodeScales ? StudentHead.MeanMagnitudes(q, HeadSize) : ones,
            _form.CodeScales && _form.Kind == AttentionKind.Quadratic ? StudentHead.MeanMagnitudes(k, HeadSize) : ones, Part(qkv, 2, head));
    }

    /// <summary>beta [N].</summary>
    float[] Beta(int image, int head) => _products.ByRows(_tokens.Inputs(image), _keyBias.AsSpan(head * Width, Width), Width);

    float[] Part(float[] qkv, int part, int head) => FloatProducts.Columns(qkv, 3 * Width, part * Width + head * HeadSize, HeadSize);

    /// <summary>v [N,C].</summary>
    float[] Values(float[] qkv) => FloatProducts.Columns(qkv, 3 * Width, 2 * Width, Width);

    /// <summary>The student's queries, keys and values, [N,3C].</summary>
    float[] Qkv(int image) => Qkv(image, _weights, _bias);

    float[] Teacher(int image) => Qkv(image, _qkv.Weight.ToFloat32().Values, _qkv.Bias is { } bias ? bias.Values : new float[3 * Width]);

    float[] Qkv(int image, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias)
    {
        var qkv = _products.ByRows(_tokens.Inputs(image), weights, Width);
        for (var i = 0; i < qkv.Length; i++) qkv[i] += bias[i % (3 * Width)];
        return qkv;
    }

    /// <summary>So many images at most, evenly spaced.</summary>
    IEnumerable<int> Few(int most)
    {
        var count = int.Min(most, _tokens.Images);
        return Enumerable.Range(0, count).Select(i => i * _tokens.Images / count);
    }

    AttentionParameters Parameters() => new()
    {
        KeyBias = _form.KeyBias ? new($"{_name}.key_bias", LinearRole.KeyBias, new DenseWeight(new(new(_a.Heads, Width), _keyBias)), null) : null,
        Temperature = _form.Kind == AttentionKind.Quadratic ? new(new(_a.Heads), [.. _temperature.Select(value => (float)value)]) : null,
        Gain = _neighbours?.Gain, Skip = _neighbours?.Skip, Convolution = _form.Convolution ? _neighbours?.Convolution : null,
        Hash = _hash?.Parameters,
    };
}

/// <summary>What attention made of a head's tokens before gain, skip and convolution.</summary>
/// <param name="Attended">What depends on the query, [N,D].</param>
/// <param name="Mean">What is the same for all, [D].</param>
sealed record HeadOutput(float[] Attended, float[] Mean);
