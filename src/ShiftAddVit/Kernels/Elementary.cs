using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>Elementary functions written once for all widths, so that their bits do not depend on the width.</summary>
static class Elementary
{
    const float LowestExponential = -87;
    const float HighestExponential = 88;

    /// <summary>
    /// e^x, x clamped to -87..88: e^x = 2^n e^r with n = round(x / ln 2), |r| at most ln(2) / 2. The Taylor series of e^r to r^7 leaves out
    /// less than 6e-9 of it, so float rounding decides: relative error at most 1.2e-7 (2^-23). ln 2 is split so that n ln2High is exact.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x) where T : struct, IFloatLanes<T>
    {
        const float ln2High = 0.693359375f, ln2Low = -2.12194440e-4f;
        x = T.Min(T.Max(x, T.Create(LowestExponential)), T.Create(HighestExponential));
        var n = T.Round(x * T.Create(1.44269504f));
        var r = T.MultiplyAdd(n, T.Create(-ln2Low), T.MultiplyAdd(n, T.Create(-ln2High), x));
        var p = T.MultiplyAdd(r, T.Create(1f / 5040), T.Create(1f / 720));
        p = T.MultiplyAdd(p, r, T.Create(1f / 120));
        p = T.MultiplyAdd(p, r, T.Create(1f / 24));
        p = T.MultiplyAdd(p, r, T.Create(1f / 6));
        p = T.MultiplyAdd(p, r, T.Create(0.5f));
        p = T.MultiplyAdd(p, r, T.Create(1));
        p = T.MultiplyAdd(p, r, T.Create(1));
        return p * T.PowerOfTwo(n);
    }

    /// <summary>
    /// 1 - erf(z) for z >= 0: t P(t) e^(-z^2) with t = 1 / (1 + 0.3275911 z) and P of degree 4. Abramowitz and Stegun, Handbook of
    /// Mathematical Functions, 7.1.26: absolute error at most 1.5e-7, before float rounding.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T ComplementaryError<T>(T z) where T : struct, IFloatLanes<T>
    {
        var t = T.Create(1) / T.MultiplyAdd(z, T.Create(0.3275911f), T.Create(1));
        var p = T.MultiplyAdd(t, T.Create(1.061405429f), T.Create(-1.453152027f));
        p = T.MultiplyAdd(p, t, T.Create(1.421413741f));
        p = T.MultiplyAdd(p, t, T.Create(-0.284496736f));
        p = T.MultiplyAdd(p, t, T.Create(0.254829592f));
        return t * p * Exp(T.Create(0) - z * z);
    }
}
