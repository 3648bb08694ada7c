using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes what becomes of the accumulators of a tile, vector by vector, each operation rounded on its own as in <see cref="RowOps"/>. The
/// registers below the accumulators are free.
/// rdi arguments, rax the row of outputs, r11 its stride, rcx row scales, r8 column scales, rsi bias, rdx the table of gelu.
/// </summary>
sealed class TileEpilogueEmitter(DotProductKey key, Assembler code, VectorAssembler vectors, int firstAccumulator)
{
    /// <summary>Free registers; the table of gelu, two registers of slopes and two of intercepts, follows them.</summary>
    const int First = 0, Second = 1, Third = 2, Slopes = 3, Intercepts = 5;

    VectorIsa Isa => vectors.Isa;

    bool IsLinear => key.Epilogue is not null;

    /// <summary>Writes the tile and moves the arguments for it to the next.</summary>
    public void Emit()
    {
        code.mov(rax, Argument(nameof(DotProductArguments.Output)));
        code.mov(r11, Argument(nameof(DotProductArguments.OutputStride)));
        if (IsLinear) LoadPointers();
        if (key.Epilogue == Epilogue.TableGelu) LoadTable();
        for (var i = 0; i < key.Rows; i++)
        {
            for (var j = 0; j < key.Vectors; j++) Finish(i, j, firstAccumulator + i * key.Vectors + j);
            code.add(rax, r11);
        }
        code.mov(Argument(nameof(DotProductArguments.Output)), rax);
        if (IsLinear) code.add(__qword_ptr[rdi + DotProductEmitter.Offset(nameof(DotProductArguments.RowScales))], key.Rows * sizeof(float));
    }

    static AssemblerMemoryOperand Argument(string field) => __[rdi + DotProductEmitter.Offset(field)];

    void LoadPointers()
    {
        code.mov(rcx, Argument(nameof(DotProductArguments.RowScales)));
        code.mov(r8, Argument(nameof(DotProductArguments.ColumnScales)));
        code.mov(rsi, Argument(nameof(DotProductArguments.Bias)));
    }

    void LoadTable()
    {
        code.mov(rdx, Argument(nameof(DotProductArguments.Table)));
        for (var part = 0; part < 4; part++) vectors.Load(Slopes + part, VectorAssembler.At(rdx, part * Isa.Bytes));
    }

    /// <summary>One vector of outputs, from its accumulators to memory.</summary>
    void Finish(int row, int vector, int accumulators)
    {
        var tail = key.Masked && vector == key.Vectors - 1;
        var output = VectorAssembler.At(rax, vector * Isa.Bytes);
        if (IsLinear) Dequantize(row, vector, accumulators, tail);
        if (key.Epilogue == Epilogue.TableGelu) TableGelu(accumulators);
        if (key.Epilogue == Epilogue.AddResidual)
        {
            vectors.Load(First, output, tail);
            vectors.Do(Isa.Add, accumulators, accumulators, First);
        }
        vectors.Store(output, accumulators, tail);
    }

    /// <summary>y = (float)acc * (sx * sw) + bias.</summary>
    void Dequantize(int row, int vector, int y, bool tail)
    {
        vectors.Broadcast(First, VectorAssembler.At(rcx, row * sizeof(float)));
        vectors.Load(Second, VectorAssembler.At(r8, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Multiply, First, First, Second);
        vectors.Convert(y, y);
        vectors.Do(Isa.Multiply, y, y, First);
        vectors.Load(Second, VectorAssembler.At(rsi, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Add, y, y, Second);
    }

    /// <summary>y = max(y, 0) - (slope * c + intercept), c = min(|y|, Last), the line in the lowest bits of c + Bias: see <see cref="GeluTable"/>.</summary>
    void TableGelu(int y)
    {
        vectors.DoBroadcast(Isa.And, First, y, Constant(GeluTable.MagnitudeIndex));
        vectors.DoBroadcast(Isa.Min, First, First, Constant(GeluTable.LastIndex));
        vectors.DoBroadcast(Isa.Add, Second, First, Constant(GeluTable.BiasIndex));
        vectors.Copy(Third, Second);
        vectors.Do(Isa.LookUp, Second, Slopes, Slopes + 1);
        vectors.Do(Isa.LookUp, Third, Intercepts, Intercepts + 1);
        vectors.Do(Isa.MultiplyAdd, Second, First, Third);
        vectors.DoBroadcast(Isa.Max, y, y, Constant(GeluTable.ZeroIndex));
        vectors.Do(Isa.Subtract, y, y, Second);
    }

    static MemoryOperand Constant(int index) => VectorAssembler.At(rdx, index * sizeof(float));
}
