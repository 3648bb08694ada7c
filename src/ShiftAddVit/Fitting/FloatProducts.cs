using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Fitting;

/// <summary>Products of matrices in row-major arrays, by the kernel that runs dense layers. The bits of a product depend on its operands alone.</summary>
sealed unsafe class FloatProducts(KernelRegistry registry)
{
    readonly FloatKernel _kernel = registry.Float;

    /// <summary>c[m,n] = SUM_k a[m,k] b[n,k].</summary>
    public float[] ByRows(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int k)
    {
        var n = b.Length / k;
        using var packed = new AlignedBuffer(_kernel.Packing.ByteLength(n, k), clear: false);
        _kernel.Packing.PackRows(n, k, b, k, packed.AsSpan<float>());
        return Multiply(a, packed, n, k);
    }

    /// <summary>c[m,n] = SUM_k a[m,k] b[k,n].</summary>
    public float[] ByColumns(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int k)
    {
        var n = b.Length / k;
        using var packed = new AlignedBuffer(_kernel.Packing.ByteLength(n, k), clear: false);
        _kernel.Packing.PackColumns(n, k, b, n, packed.AsSpan<float>());
        return Multiply(a, packed, n, k);
    }

    /// <summary>c[m,n] = SUM_k a[k,m] b[k,n].</summary>
    public float[] Gram(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int k) => ByColumns(Transposed(a, k), b, k);

    /// <summary>[columns, rows] of [rows, columns].</summary>
    public static float[] Transposed(ReadOnlySpan<float> matrix, int rows)
    {
        var columns = matrix.Length / rows;
        var result = new float[matrix.Length];
        for (var i = 0; i < rows; i++)
            for (var j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
        return result;
    }

    /// <summary>Columns first..first+count-1 of [rows, columns].</summary>
    public static float[] Columns(ReadOnlySpan<float> matrix, int columns, int first, int count)
    {
        var result = new float[matrix.Length / columns * count];
        for (var i = 0; i < matrix.Length / columns; i++) matrix.Slice(i * columns + first, count).CopyTo(result.AsSpan(i * count));
        return result;
    }

    float[] Multiply(ReadOnlySpan<float> a, AlignedBuffer packed, int n, int k)
    {
        var m = a.Length / k;
        var result = new float[m * n];
        using var scratch = new AlignedBuffer(_kernel.ScratchBytes(k));
        fixed (float* rows = a, output = result)
            _kernel.Run(new()
            {
                M = m, N = n, K = k, Activations = rows, ActivationStride = k, Weights = (float*)packed.Pointer,
                Output = output, OutputStride = n, Scratch = scratch.Pointer,
            });
        return result;
    }
}
