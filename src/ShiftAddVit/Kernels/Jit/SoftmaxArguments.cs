using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>The arguments of code that makes probabilities of scores: all of the code of <see cref="SoftmaxEmitter"/>. It advances them.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct SoftmaxArguments
{
    /// <summary>acc [M,N].</summary>
    public int* Scores;

    /// <summary>Bytes from one row of scores to the next.</summary>
    public nint ScoreStride;

    /// <summary>sk [N].</summary>
    public float* KeyScales;

    /// <summary>[M]: steps of the table a unit of z.</summary>
    public float* Factors;

    /// <summary>1 / SUM p [M]; may be where the factors are.</summary>
    public float* Reciprocals;

    /// <summary>p [M, N and its padding].</summary>
    public byte* Probabilities;

    /// <summary>Scratch: z of a group of rows, [rows, N and its padding].</summary>
    public float* Scaled;

    /// <summary>Groups of rows.</summary>
    public nint Groups;

    /// <summary><see cref="HeadConstants"/>.</summary>
    public float* Constants;

    /// <summary><see cref="SoftmaxConstants"/>.</summary>
    public byte* Table;

    /// <summary>max z of each row of a group.</summary>
    public fixed float Maxima[RowQuadEmitter.MostRows];
}
