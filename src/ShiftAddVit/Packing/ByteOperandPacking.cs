using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Packing;

/// <summary>
/// Packs activations as the second operand of an integer kernel: bytes with zero point 128 become the signed weights of an order of S8.
/// Allocates nothing. What lies beyond N in the last panel is left as it was: kernels drop what they make of it.
/// </summary>
static unsafe class ByteOperandPacking
{
    const int ZeroPoint = 128, Quad = 4;

    /// <summary>Inputs and outputs of a square of quads.</summary>
    const int SquareInputs = 16, SquareOutputs = 4;

    extension(PackFormat format)
    {
        /// <summary>
        /// Outputs are rows: w[n,k] = source[n * stride + k] - 128. Accumulators start as weights' do, for activations with zero point 128.
        /// </summary>
        /// <param name="first">The first output to pack.</param>
        /// <param name="count">How many.</param>
        /// <param name="k">K, inputs.</param>
        /// <param name="source">Row <paramref name="first"/>.</param>
        /// <param name="stride">Bytes from one row to the next.</param>
        /// <param name="packed">All outputs, <see cref="PackFormat.ByteLength"/> bytes.</param>
        public void PackRows(int first, int count, int k, byte* source, nint stride, byte* packed)
        {
            var (panel, lane) = Math.DivRem(first, format.Nr);
            packed += panel * (nint)format.PanelBytes(k);
            for (int rows; count > 0; count -= rows, source += rows * stride, packed += (nint)format.PanelBytes(k), lane = 0)
            {
                rows = int.Min(count, format.Nr - lane);
                if (format.KGroup == Quad && k % SquareInputs == 0 && rows >= SquareOutputs && Ssse3.IsSupported)
                    format.PackSquares(lane, rows, k, source, stride, packed);
                else format.PackSingly(lane, rows, k, source, stride, packed);
            }
        }

        /// <summary>Rows of one panel, four at a time; the last four may overlap those before: what is written twice is the same twice.</summary>
        void PackSquares(int lane, int rows, int k, byte* source, nint stride, byte* panel)
        {
            for (var row = 0; row < rows; row += SquareOutputs)
            {
                var at = int.Min(row, rows - SquareOutputs);
                var target = panel + format.StartBytes + (lane + at) * Quad;
                var sums = Transpose(source + at * stride, stride, k, target, format.Nr * Quad);
                if (format.AccumulatorStarts) (sums * -ZeroPoint).Store((int*)panel + lane + at);
            }
        }

        /// <summary>Rows of one panel in any order; inputs beyond K in the last group are 0.</summary>
        void PackSingly(int lane, int rows, int k, byte* source, nint stride, byte* panel)
        {
            var group = format.KGroup;
            for (var row = 0; row < rows; row++, source += stride, lane++)
            {
                var sum = 0;
                var target = panel + format.StartBytes + lane * group;
                for (var i = 0; i < k; i += group, target += format.Nr * group)
                    for (var j = 0; j < group; j++) sum += (sbyte)(target[j] = i + j < k ? (byte)(source[i + j] - ZeroPoint) : (byte)0);
                if (format.AccumulatorStarts) ((int*)panel)[lane] = -ZeroPoint * sum;
            }
        }
    }

    /// <summary>
    /// Four rows, quad by quad one below the other, <paramref name="step"/> bytes from quad to quad. Subtracting 128 inverts the highest bit.
    /// Returns SUM_k w of each row.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static Vector128<int> Transpose(byte* source, nint stride, int k, byte* target, nint step)
    {
        var (sign, sums) = (Vector128.Create((byte)ZeroPoint), Vector128<int>.Zero);
        for (var end = source + k; source < end; source += SquareInputs, target += SquareInputs / Quad * step)
        {
            var (row0, row1) = ((Vector128.Load(source) ^ sign).AsInt32(), (Vector128.Load(source + stride) ^ sign).AsInt32());
            var (row2, row3) = ((Vector128.Load(source + 2 * stride) ^ sign).AsInt32(), (Vector128.Load(source + 3 * stride) ^ sign).AsInt32());
            var (low01, high01) = (Sse2.UnpackLow(row0, row1).AsInt64(), Sse2.UnpackHigh(row0, row1).AsInt64());
            var (low23, high23) = (Sse2.UnpackLow(row2, row3).AsInt64(), Sse2.UnpackHigh(row2, row3).AsInt64());
            var (quad0, quad1) = (Sse2.UnpackLow(low01, low23).AsSByte(), Sse2.UnpackHigh(low01, low23).AsSByte());
            var (quad2, quad3) = (Sse2.UnpackLow(high01, high23).AsSByte(), Sse2.UnpackHigh(high01, high23).AsSByte());
            quad0.Store((sbyte*)target);
            quad1.Store((sbyte*)target + step);
            quad2.Store((sbyte*)target + 2 * step);
            quad3.Store((sbyte*)target + 3 * step);
            sums += Sse2.MultiplyAddAdjacent(PairSums(quad0) + PairSums(quad1) + (PairSums(quad2) + PairSums(quad3)), Vector128<short>.One);
        }
        return sums;
    }

    static Vector128<short> PairSums(Vector128<sbyte> bytes) => Ssse3.MultiplyAddAdjacent(Vector128<byte>.One, bytes);
}
