using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes what becomes of the accumulators of a tile, vector by vector, each operation rounded on its own as in <see cref="RowOps"/>. The
/// registers below the accumulators are free, four at least.
/// rdi arguments, rax the row of outputs, r11 its stride, rcx row scales, r8 column scales, rsi bias, rdx the table of gelu.
/// </summary>
sealed class TileEpilogueEmitter(DotProductKey key, Assembler code, VectorAssembler vectors, int firstAccumulator)
{
    const int First = 0, Second = 1;

    readonly TableGeluEmitter _gelu = TableGeluEmitter.Create(vectors);

    VectorIsa Isa => vectors.Isa;

    bool IsLinear => key.Epilogue is not null;

    /// <summary>Writes the tile and moves the arguments for it to the next.</summary>
    public void Emit()
    {
        code.mov(rax, Argument(nameof(DotProductArguments.Output)));
        code.mov(r11, Argument(nameof(DotProductArguments.OutputStride)));
        if (IsLinear) LoadPointers();
        if (key.Epilogue == Epilogue.TableGelu) _gelu.Begin();
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
        code.mov(rdx, Argument(nameof(DotProductArguments.Table)));
    }

    /// <summary>One vector of outputs, from its accumulators to memory.</summary>
    void Finish(int row, int vector, int accumulators)
    {
        var tail = key.Masked && vector == key.Vectors - 1;
        var output = VectorAssembler.At(rax, vector * Isa.Bytes);
        if (IsLinear) Dequantize(row, vector, accumulators, tail);
        if (key.Epilogue == Epilogue.TableGelu) _gelu.Apply(accumulators);
        if (key.Epilogue == Epilogue.AddResidual)
        {
            vectors.Load(First, output, tail);
            vectors.Do(Isa.Add, accumulators, accumulators, First);
        }
        vectors.Store(output, accumulators, tail, free: First);
    }

    /// <summary>y = (float)acc * (sx * sw) + bias.</summary>
    void Dequantize(int row, int vector, int y, bool tail)
    {
        vectors.Broadcast(First, VectorAssembler.At(rcx, row * sizeof(float)));
        vectors.Load(Second, VectorAssembler.At(r8, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Multiply, First, First, Second);
        vectors.Do(Isa.ToFloat, y, y);
        vectors.Do(Isa.Multiply, y, y, First);
        vectors.Load(Second, VectorAssembler.At(rsi, vector * Isa.Bytes), tail);
        vectors.Do(Isa.Add, y, y, Second);
    }
}
