using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Inference.Steps;

/// <summary>logits[b] = head(norm(class token)); with a distillation token the mean of both heads.</summary>
sealed unsafe class HeadStep : Step
{
    readonly Region _tokens;
    readonly Region _logits;
    readonly Tap _tap;
    readonly Tap? _distillationTap;

    /// <param name="context">The session.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="logits">[B, classes], written.</param>
    public HeadStep(StepContext context, Region tokens, Region logits) : base(context)
    {
        (_tokens, _logits) = (tokens, logits);
        _tap = new(context, context.Model.Head.Name, Architecture.Width, context.Options.MaxBatch);
        if (context.Model.DistillationHead is { } head) _distillationTap = new(context, head.Name, Architecture.Width, context.Options.MaxBatch);
    }

    VitArchitecture Architecture => Context.Model.Architecture;

    public override int Parts => Context.Batch;

    public override long ScratchBytes => NormBytes + LogitBytes + Math.Max(
        Context.Model.Head.ScratchBytes(1), Context.Model.DistillationHead?.ScratchBytes(1) ?? 0);

    long NormBytes => Align((long)Architecture.Width * sizeof(float));

    long LogitBytes => Align((long)Architecture.Classes * sizeof(float));

    public override void Execute(int part, int thread)
    {
        var (model, classes) = (Context.Model, Architecture.Classes);
        var scratch = Context.Scratch(thread);
        var normed = (float*)scratch;
        var rest = scratch + NormBytes + LogitBytes;
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)part * Architecture.Tokens * Architecture.Width;
        var logits = Context.Arena.Pointer<float>(_logits) + (long)part * classes;
        Normalise(tokens, normed);
        _tap.Keep(normed, part, 1);
        model.Head.Apply(normed, 1, logits, classes, Epilogue.Store, rest);
        if (model.DistillationHead is not { } distillation) return;
        var second = (float*)(scratch + NormBytes);
        Normalise(tokens + Architecture.Width, normed);
        _distillationTap!.Keep(normed, part, 1);
        distillation.Apply(normed, 1, second, classes, Epilogue.Store, rest);
        for (var i = 0; i < classes; i++) logits[i] = (logits[i] + second[i]) / 2;
    }

    public override void Show(ActivationObserver observer)
    {
        _tap.Show(observer, Context.Batch);
        _distillationTap?.Show(observer, Context.Batch);
        observer(new(ActivationKind.Logits, "logits", Architecture.Classes, new(Context.Arena.Pointer<float>(_logits), Context.Batch * Architecture.Classes)));
    }

    void Normalise(float* token, float* normed)
    {
        var norm = Context.Model.Norm;
        Context.Model.Registry.Rows.LayerNorm(
            token, (float*)norm.Gamma.Pointer, (float*)norm.Beta.Pointer, norm.Epsilon, Architecture.Width, normed);
    }
}
