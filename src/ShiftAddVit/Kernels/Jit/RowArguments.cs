using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>The arguments of code that norms and quantises rows: all of the code of <see cref="RowBlockEmitter"/>. It advances them.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct RowArguments
{
    /// <summary>x [M,K].</summary>
    public float* X;

    /// <summary>[M,K], the normed rows, where there is a norm.</summary>
    public float* Normed;

    /// <summary>q [M,K].</summary>
    public byte* Quantized;

    /// <summary>s [M].</summary>
    public float* Scales;

    /// <summary>[M,16], the largest magnitudes of x, where they are known.</summary>
    public float* Maxima;

    /// <summary>[K] each.</summary>
    public float* Gamma, Beta;

    /// <summary>Bytes of a row.</summary>
    public nint Stride;

    /// <summary>K / 64.</summary>
    public nint Blocks;

    /// <summary>Groups of rows.</summary>
    public nint Groups;

    /// <summary><see cref="HeadConstants"/>.</summary>
    public float* Constants;

    /// <summary>K.</summary>
    public float Length;
    public float Epsilon;

    /// <summary>Means, then reciprocals of deviations, then of scales: a number a row of a group.</summary>
    public fixed float Means[RowQuadEmitter.MostRows];
    public fixed float Factors[RowQuadEmitter.MostRows];
}
