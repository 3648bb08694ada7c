using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Chooses an expert for each quantised row: z_e = (float)(SUM_k w[e,k] (q[m,k] - 128)) * (sx[m] * sw[e]) + bias[e], each operation rounded on its
/// own; the expert with the largest z, the first of equals; its gate 1 / SUM_j e^(z_j - max z), the softmax probability, j ascending. A matrix
/// kernel would form 64 outputs for the sake of two.
/// </summary>
sealed unsafe class RouterOps(KernelIsa widest)
{
    /// <summary>Sends M rows to experts.</summary>
    public void Route(in RouterOperands o)
    {
        if (widest >= KernelIsa.Vector512) Sums<IntegerLanes512>(o);
        else if (widest >= KernelIsa.Vector256) Sums<IntegerLanes256>(o);
        else if (widest >= KernelIsa.Vector128) Sums<IntegerLanes128>(o);
        else Sums(o);
        for (var e = 0; e < o.Experts; e++)
        {
            var z = o.Logits + e * o.M;
            var logit = new Logit { Acc = (int*)z, RowScales = o.RowScales, Scale = o.WeightScales[e], Bias = o.Bias[e], Z = z };
            Traversal.ForEach(ref logit, o.M, widest);
        }
        var gate = new LargestProbability { Z = o.Logits, Experts = o.Experts, Rows = o.M, Probability = o.Gates };
        Traversal.ForEach(ref gate, o.M, widest);
        Choose(o);
    }

    static void Choose(in RouterOperands o)
    {
        for (var m = 0; m < o.M; m++)
        {
            var best = 0;
            for (var e = 1; e < o.Experts; e++)
                if (o.Logits[e * o.M + m] > o.Logits[best * o.M + m]) best = e;
            o.Chosen[m] = best;
        }
    }

    static void Sums(in RouterOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var e = 0; e < o.Experts; e++) ((int*)o.Logits)[e * o.M + m] = Products(o.Activations + (nint)m * o.K, o.Weights + e * o.K, 0, o.K);
    }

    /// <summary>Two rows and two experts at a time; the last of an odd number stands for two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Sums<T>(in RouterOperands o) where T : struct, IIntegerLanes<T>
    {
        var sums = (int*)o.Logits;
        for (var m = 0; m < o.M; m += 2)
        {
            var next = int.Min(m + 1, o.M - 1);
            for (var e = 0; e < o.Experts; e += 2)
            {
                var other = int.Min(e + 1, o.Experts - 1);
                AddPairs<T>(
                    o.Activations + (nint)m * o.K, o.Activations + (nint)next * o.K, o.Weights + e * o.K, o.Weights + other * o.K, o.K,
                    sums + e * o.M, sums + other * o.M, m, next);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void AddPairs<T>(byte* first, byte* second, sbyte* one, sbyte* other, int k, int* ones, int* others, int m, int next)
        where T : struct, IIntegerLanes<T>
    {
        T a = default, b = default, c = default, d = default;
        nint i = 0;
        for (; i <= k - T.Group * T.Count; i += T.Group * T.Count)
        {
            var (x, y) = (T.LoadCentred(first + i), T.LoadCentred(second + i));
            var (v, w) = (T.LoadWeights(one + i), T.LoadWeights(other + i));
            a = T.AddProducts(a, v, x);
            b = T.AddProducts(b, w, x);
            c = T.AddProducts(c, v, y);
            d = T.AddProducts(d, w, y);
        }
        var sums = T.SumEach(a, b, c, d);
        ones[m] = sums[0];
        others[m] = sums[1];
        ones[next] = sums[2];
        others[next] = sums[3];
        if (i == k) return;
        ones[m] += Products(first, one, i, k);
        if (others != ones) others[m] += Products(first, other, i, k);
        if (next == m) return;
        ones[next] += Products(second, one, i, k);
        if (others != ones) others[next] += Products(second, other, i, k);
    }

    /// <summary>SUM w (q - 128) from an input on.</summary>
    static int Products(byte* q, sbyte* w, nint from, int k)
    {
        var sum = 0;
        for (var i = from; i < k; i++) sum += w[i] * (q[i] - 128);
        return sum;
    }
}

/// <summary>A router and the rows it reads.</summary>
unsafe struct RouterOperands
{
    public required int M, K;

    /// <summary>E.</summary>
    public required int Experts;

    /// <summary>q [M,K].</summary>
    public required byte* Activations;

    /// <summary>sx [M].</summary>
    public required float* RowScales;

    /// <summary>w [E,K].</summary>
    public required sbyte* Weights;

    /// <summary>sw [E].</summary>
    public required float* WeightScales;

    /// <summary>[E].</summary>
    public required float* Bias;

    /// <summary>z [E,M], written; its memory holds the sums before.</summary>
    public required float* Logits;

    /// <summary>The expert of each row [M], written.</summary>
    public required int* Chosen;

    /// <summary>Its gate [M], written.</summary>
    public required float* Gates;
}
