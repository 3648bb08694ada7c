using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Images to tokens: x[b,0..] = prefix tokens, then the projected patches, plus positions.</summary>
sealed unsafe class EmbedStep : Step
{
    readonly Region _tokens;
    readonly Tap _tap;

    /// <param name="context">The session.</param>
    /// <param name="tokens">x [B*N,C], written.</param>
    public EmbedStep(StepContext context, Region tokens) : base(context)
    {
        _tokens = tokens;
        _tap = new(context, context.Model.Embedding.Name, Architecture.PatchInputs, context.Options.MaxBatch * Architecture.Patches);
    }

    VitArchitecture Architecture => Context.Model.Architecture;

    int PartsPerImage => RowParts(Architecture.Patches);

    public override int Parts => Context.Batch * PartsPerImage;

    public override long ScratchBytes => PatchBytes + Context.Model.Embedding.ScratchBytes(RowsPerPart);

    long PatchBytes => Align((long)RowsPerPart * Architecture.PatchInputs * sizeof(float));

    public override void Execute(int part, int thread)
    {
        var (image, block) = Math.DivRem(part, PartsPerImage);
        var first = block * RowsPerPart;
        var count = Math.Min(RowsPerPart, Architecture.Patches - first);
        var a = Architecture;
        var scratch = Context.Scratch(thread);
        var patches = (float*)scratch;
        TimeBudget.Enter(Work.Patches);
        for (var i = 0; i < count; i++) GatherPatch(image, first + i, patches + (long)i * a.PatchInputs);
        _tap.Keep(patches, image * a.Patches + first, count);

        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)image * a.Tokens * a.Width;
        if (block == 0) WritePrefix(tokens);
        var row = a.PrefixTokens + first;
        var output = tokens + (long)row * a.Width;
        Context.Model.Embedding.Apply(patches, count, output, a.Width, Epilogue.Store, scratch + PatchBytes);
        Context.Model.Registry.Rows.Add((float*)Context.Model.Positions.Pointer + (long)row * a.Width, count * a.Width, output);
    }

    public override void Show(ActivationObserver observer)
    {
        _tap.Show(observer, Context.Batch * Architecture.Patches);
        var length = Context.Batch * Architecture.Tokens * Architecture.Width;
        observer(new(ActivationKind.Residual, "embed", Architecture.Width, new(Context.Arena.Pointer<float>(_tokens), length)));
    }

    /// <summary>patch[c, y, x], channel outermost, as the convolution's weights are ordered.</summary>
    void GatherPatch(int image, int index, float* patch)
    {
        var (side, size) = (Architecture.ImageSize, Architecture.PatchSize);
        var (row, column) = Math.DivRem(index, Architecture.GridSide);
        for (var c = 0; c < VitArchitecture.Channels; c++)
        {
            var plane = Context.Images + ((long)image * VitArchitecture.Channels + c) * side * side;
            for (var y = 0; y < size; y++, patch += size)
                new ReadOnlySpan<float>(plane + (long)(row * size + y) * side + column * size, size).CopyTo(new(patch, size));
        }
    }

    void WritePrefix(float* tokens)
    {
        var (model, width) = (Context.Model, Architecture.Width);
        model.ClassToken.AsSpan<float>().CopyTo(new(tokens, width));
        model.DistillationToken?.AsSpan<float>().CopyTo(new(tokens + width, width));
        model.Registry.Rows.Add((float*)model.Positions.Pointer, Architecture.PrefixTokens * width, tokens);
    }
}
