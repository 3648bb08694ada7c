using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes what becomes of the accumulators of a tile, vector by vector, each operation rounded on its own as in <see cref="RowOps"/>. The
/// lowest registers are free. General registers are none of those that sums use, so that both may overlap: rdi arguments, r9 the row of
/// outputs, r11 row scales, rsi column scales, rcx anything else.
/// </summary>
sealed class TileEpilogueEmitter(DotProductKey key, DotProductTile tile, Assembler code, VectorAssembler vectors, int firstAccumulator)
{
    /// <summary>Vector registers taken, from 0 up.</summary>
    public const int Registers = 4;

    const int First = 0, Second = 1, Third = 2, Fourth = 3;

    readonly TableGeluEmitter _gelu = TableGeluEmitter.Create(vectors);

    VectorIsa Isa => vectors.Isa;

    bool IsLinear => key.Epilogue is not null;

    int RowResultBytes => key.RowResultBytes;

    /// <summary>Writes the tile and moves the arguments for it to the next.</summary>
    public void Emit()
    {
        code.mov(r9, DotProductEmitter.Argument(nameof(DotProductArguments.Output)));
        if (IsLinear)
        {
            code.mov(r11, DotProductEmitter.Argument(nameof(DotProductArguments.RowScales)));
            code.mov(rsi, DotProductEmitter.Argument(nameof(DotProductArguments.ColumnScales)));
        }
        for (var i = 0; i < key.Rows; i++)
        {
            var first = firstAccumulator + i * key.SumVectors(tile);
            for (var j = 0; j < key.Vectors; j++) Finish(i, j, first + j);
            if (key.Epilogue == Epilogue.QuantizeHeads) new HeadQuantizationEmitter(code, vectors).Emit(i, first);
            if (key.Measures) Measure(i, first);
            code.add(r9, DotProductEmitter.Argument(nameof(DotProductArguments.OutputStride)));
        }
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.Output)), r9);
        if (IsLinear) code.add(DotProductEmitter.Argument(nameof(DotProductArguments.RowScales)), key.Rows * sizeof(float));
        if (RowResultBytes > 0) code.add(DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)), key.Rows * RowResultBytes);
    }

    /// <summary>Moves the arguments to the next panel, after its last tile.</summary>
    public void Advance()
    {
        var below = code.CreateLabel();
        code.dec(DotProductEmitter.Argument(nameof(DotProductArguments.EpilogueTiles)));
        code.jne(below);
        DotProductEmitter.Copy(code, nameof(DotProductArguments.Tiles), nameof(DotProductArguments.EpilogueTiles));
        DotProductEmitter.Copy(code, nameof(DotProductArguments.FirstRowScales), nameof(DotProductArguments.RowScales));
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.OutputStep)));
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Output)), rax);
        if (RowResultBytes > 0)
        {
            code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.RowResultStep)));
            code.add(DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)), rax);
        }
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.ColumnScales)), key.Nr(tile) * sizeof(float));
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Bias)), key.Nr(tile) * sizeof(float));
        DotProductEmitter.Land(code, ref below);
    }

    /// <summary>One vector of outputs, from its accumulators to memory.</summary>
    void Finish(int row, int vector, int accumulators)
    {
        var tail = key.Masked && vector == key.Vectors - 1;
        var output = VectorAssembler.At(r9, vector * Isa.Bytes);
        if (IsLinear) Dequantize(row, vector, accumulators, tail);
        if (key.Epilogue == Epilogue.TableGelu)
        {
            code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Table)));
            _gelu.Apply(accumulators);
        }
        if (key.Epilogue == Epilogue.AddResidual)
        {
            vectors.Load(First, output, tail);
            vectors.Do(Isa.Add, accumulators, accumulators, First);
        }
        if (key.Epilogue == Epilogue.QuantizeHeads) return;
        if (tail) vectors.StoreTail(output, accumulators, free: First);
        else if (key.Epilogue is null) vectors.StoreHalves(output, accumulators);
        else vectors.Store(output, accumulators);
    }

    /// <summary>Lane by lane, the largest magnitude of a row of outputs and of what was kept of the panels before.</summary>
    void Measure(int row, int y)
    {
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)));
        var kept = VectorAssembler.At(rcx, row * key.RowResultBytes);
        vectors.Load(First, kept);
        for (var j = 0; j < key.Vectors; j++) vectors.LargerMagnitude(First, First, y + j);
        vectors.Store(kept, First);
    }

    /// <summary>y = (float)acc * (sx * sw) + bias.</summary>
    void Dequantize(int row, int vector, int y, bool tail)
    {
        if (key.Split) Join(y);
        vectors.Broadcast(First, VectorAssembler.At(r11, row * sizeof(float)));
        vectors.Load(Second, VectorAssembler.At(rsi, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Multiply, First, First, Second);
        if (!key.Split) vectors.Do(Isa.ToFloat, y, y);
        vectors.Do(Isa.Multiply, y, y, First);
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Bias)));
        vectors.Load(Second, VectorAssembler.At(rcx, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Add, y, y, Second);
    }

    /// <summary>y = (float)(255 high + low), which doubles hold, half a vector at a time. The high sums are where y goes.</summary>
    void Join(int high)
    {
        var low = high + tile.Vectors / 2;
        vectors.BroadcastDouble(Fourth, DotProductEmitter.HighWeight);
        for (var half = 0; half < 2; half++)
        {
            vectors.HalfToDouble(First, high, half);
            vectors.HalfToDouble(Second + half, low, half);
            vectors.Do(Isa.MultiplyAddDouble, Second + half, First, Fourth);
            vectors.DoubleToHalf(Second + half, Second + half);
        }
        vectors.JoinHalves(high, Second, Third);
    }
}
