using ShiftAddVit.Inference;

namespace ShiftAddVit.Fitting;

/// <summary>What enters and leaves the attention of one block, image after image.</summary>
/// <param name="tokens">N.</param>
/// <param name="width">C.</param>
/// <param name="images">How many images there is room for.</param>
sealed class BlockTokens(int tokens, int width, int images)
{
    readonly float[] _inputs = new float[(long)images * tokens * width], _outputs = new float[(long)images * tokens * width];
    int _input, _output;

    /// <summary>How many images there are.</summary>
    public int Images => images;

    /// <summary>Bytes that an image takes.</summary>
    public static long ImageBytes(int tokens, int width) => 2L * tokens * width * sizeof(float);

    /// <summary>The normed tokens that queries, keys and values are made of, [N,C].</summary>
    public float[] Inputs(int image) => Of(_inputs, image);

    /// <summary>What the heads made of them, side by side, [N,C].</summary>
    public float[] Outputs(int image) => Of(_outputs, image);

    /// <summary>Takes over the next image's tokens.</summary>
    public void Add(in Activation activation, bool isInput)
    {
        ref var image = ref isInput ? ref _input : ref _output;
        activation.Values.CopyTo((isInput ? _inputs : _outputs).AsSpan(image++ * tokens * width));
    }

    float[] Of(float[] rows, int image) => rows.AsSpan(image * tokens * width, tokens * width).ToArray();
}
