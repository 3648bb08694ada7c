using ShiftAddVit.Models;

namespace ShiftAddVit.Inference.Steps;

/// <summary>What linear attention keeps of the keys and values of each head, for all of its queries.</summary>
sealed unsafe class LinearHeads
{
    readonly StepContext _context;
    readonly Region _sums, _offsets, _scales, _means, _counts;

    public LinearHeads(StepContext context)
    {
        _context = context;
        var (heads, d) = ((long)context.Options.MaxBatch * Architecture.Heads, Architecture.HeadSize);
        _sums = context.Arena.Plan<int>(heads * AttentionForm.MaxCodeBits * d);
        _offsets = context.Arena.Plan<int>(heads * d);
        _scales = context.Arena.Plan<float>(heads * d);
        _means = context.Arena.Plan<float>(heads * d);
        _counts = context.Arena.Plan<int>(heads * AttentionForm.MaxCodeBits);
    }

    VitArchitecture Architecture => _context.Model.Architecture;

    /// <summary>A [I,D].</summary>
    public int* Sums(int image, int head) => At<int>(_sums, image, head, AttentionForm.MaxCodeBits * Architecture.HeadSize);

    /// <summary>[D], added to each sum of rows of A.</summary>
    public int* Offsets(int image, int head) => At<int>(_offsets, image, head, Architecture.HeadSize);

    /// <summary>[D], what such sums are multiplied by.</summary>
    public float* Scales(int image, int head) => At<float>(_scales, image, head, Architecture.HeadSize);

    /// <summary>mu [D].</summary>
    public float* Means(int image, int head) => At<float>(_means, image, head, Architecture.HeadSize);

    /// <summary>SUM_j bk_j [I].</summary>
    public int* Counts(int image, int head) => At<int>(_counts, image, head, AttentionForm.MaxCodeBits);

    T* At<T>(Region region, int image, int head, int length) where T : unmanaged =>
        _context.Arena.Pointer<T>(region) + ((long)image * Architecture.Heads + head) * length;
}
