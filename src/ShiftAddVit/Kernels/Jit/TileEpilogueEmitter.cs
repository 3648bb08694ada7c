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

    const int First = 0, Second = 1;

    readonly TableGeluEmitter _gelu = TableGeluEmitter.Create(vectors);

    VectorIsa Isa => vectors.Isa;

    bool IsLinear => key.Epilogue is not null;

    int RowResultBytes => key.RowResultBytes;

    /// <summary>Writes the tile and moves the arguments for it to the next.</summary>
    public void Emit()
    {
        if (!key.Scatters) code.mov(r9, DotProductEmitter.Argument(nameof(DotProductArguments.Output)));
        if (IsLinear)
        {
            code.mov(r11, DotProductEmitter.Argument(nameof(DotProductArguments.RowScales)));
            code.mov(rsi, DotProductEmitter.Argument(nameof(DotProductArguments.ColumnScales)));
        }
        for (var i = 0; i < key.Rows; i++)
        {
            if (key.Scatters) PointAtTarget(i);
            for (var j = 0; j < key.Vectors; j++) Finish(i, j, firstAccumulator + i * key.Vectors + j);
            var y = firstAccumulator + i * key.Vectors;
            if (key.Epilogue == Epilogue.QuantizeHeads) new HeadQuantizationEmitter(code, vectors).Emit(i, y);
            else if (key.Epilogue == Epilogue.Codes) new HeadCodeEmitter(code, vectors).Emit(i, y, key.Measures);
            else if (key.Measures) Measure(i, y);
            if (!key.Scatters) code.add(r9, DotProductEmitter.Argument(nameof(DotProductArguments.OutputStride)));
        }
        if (IsLinear) code.add(DotProductEmitter.Argument(nameof(DotProductArguments.RowScales)), key.Rows * sizeof(float));
        if (key.Scatters)
        {
            code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Targets)), key.Rows * sizeof(int));
            code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Gates)), key.Rows * sizeof(float));
            return;
        }
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.Output)), r9);
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
        if (key.Scatters)
        {
            DotProductEmitter.Copy(code, nameof(DotProductArguments.FirstTargets), nameof(DotProductArguments.Targets));
            DotProductEmitter.Copy(code, nameof(DotProductArguments.FirstGates), nameof(DotProductArguments.Gates));
        }
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.OutputStep)));
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Output)), rax);
        if (RowResultBytes > 0)
        {
            code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.RowResultStep)));
            code.add(DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)), rax);
        }
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.ColumnScales)), tile.Nr * sizeof(float));
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Bias)), tile.Nr * sizeof(float));
        DotProductEmitter.Land(code, ref below);
    }

    /// <summary>One vector of outputs, from its accumulators to memory.</summary>
    void Finish(int row, int vector, int accumulators)
    {
        var tail = key.Masked && vector == key.Vectors - 1;
        var output = VectorAssembler.At(r9, vector * Isa.Bytes);
        if (IsLinear) Dequantize(row, vector, accumulators, tail);
        if (key.Scatters) Multiply(row, accumulators);
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
        if (key.Epilogue is Epilogue.QuantizeHeads or Epilogue.Codes) return;
        if (tail) vectors.StoreTail(output, accumulators, free: First);
        else if (key.Epilogue is null) vectors.StoreHalves(output, accumulators);
        else vectors.Store(output, accumulators);
    }

    /// <summary>Lane by lane, the largest magnitude of a row of outputs and of what was kept of the panels before.</summary>
    void Measure(int row, int y)
    {
        if (key.Scatters)
        {
            LoadTarget(rcx, row);
            code.imul(rcx, rcx, key.RowResultBytes);
            code.add(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)));
        }
        else code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)));
        var kept = VectorAssembler.At(rcx, key.Scatters ? 0 : row * key.RowResultBytes);
        vectors.Load(First, kept);
        for (var j = 0; j < key.Vectors; j++) vectors.LargerMagnitude(First, First, y + j);
        vectors.Store(kept, First);
    }

    /// <summary>r9 to the row of outputs that a row of the tile becomes.</summary>
    void PointAtTarget(int row)
    {
        LoadTarget(r9, row);
        code.imul(r9, DotProductEmitter.Argument(nameof(DotProductArguments.OutputStride)));
        code.add(r9, DotProductEmitter.Argument(nameof(DotProductArguments.Output)));
    }

    /// <summary>The number of that row.</summary>
    void LoadTarget(AssemblerRegister64 to, int row)
    {
        code.mov(to, DotProductEmitter.Argument(nameof(DotProductArguments.Targets)));
        code.movsxd(to, __dword_ptr[to + row * sizeof(int)]);
    }

    /// <summary>y *= gate.</summary>
    void Multiply(int row, int y)
    {
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Gates)));
        vectors.Broadcast(First, VectorAssembler.At(rcx, row * sizeof(float)));
        vectors.Do(Isa.Multiply, y, y, First);
    }

    /// <summary>y = (float)acc * (sx * sw) + bias.</summary>
    void Dequantize(int row, int vector, int y, bool tail)
    {
        vectors.Broadcast(First, VectorAssembler.At(r11, row * sizeof(float)));
        vectors.Load(Second, VectorAssembler.At(rsi, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Multiply, First, First, Second);
        vectors.Do(Isa.ToFloat, y, y);
        vectors.Do(Isa.Multiply, y, y, First);
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Bias)));
        vectors.Load(Second, VectorAssembler.At(rcx, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Add, y, y, Second);
    }
}
