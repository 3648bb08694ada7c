using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes the sums of one tile: each int32 lane adds four products of an unsigned activation and a signed weight at a time. Accumulators
/// start at -128 * SUM_k w, the panel's first row, where products are of q and not of q - 128.
/// rdi arguments, r8, rsi, r9 and r11 rows 0, 3, 6 and 9 of the tile, r10 their stride, rdx the panel, rcx the loop, rax weights to come:
/// with each group one cache line of them is fetched into the second-level cache, so that four tiles of four zmm fetch a panel.
/// </summary>
/// <param name="key">The tile.</param>
/// <param name="tile">How it is computed.</param>
/// <param name="code">Where to.</param>
/// <param name="firstAccumulator">The accumulators' registers, row-major.</param>
/// <param name="overlaps">Whether an epilogue is to be spread among the first groups.</param>
sealed class TileProductEmitter(DotProductKey key, DotProductTile tile, Assembler code, int firstAccumulator, bool overlaps)
{
    public const int GroupInputs = 4;
    const int Unroll = 4, RowsPerBase = 3, LineBytes = 64, MostHeadGroups = 24;

    static readonly AssemblerRegister64[] Bases = [r8, rsi, r9, r11];

    readonly VectorAssembler _vectors = DotProductEmitter.Vectors(tile, code);
    readonly ByteProducts _products = ByteProducts.Create(tile.Products, DotProductEmitter.Vectors(tile, code), firstAccumulator - key.SumVectors(tile));

    int Vectors => key.SumVectors(tile);

    /// <summary>Below the accumulators, where all weights of a group are kept and activations come in turn.</summary>
    int FirstWeights => firstAccumulator - Vectors;

    int GroupBytes => tile.Vectors * tile.Isa.Bytes;

    /// <summary>Groups that are written one by one before any loop, for an epilogue to be spread among them.</summary>
    int HeadGroups => overlaps ? int.Min(MostHeadGroups, key.Inputs / GroupInputs) : 0;

    /// <summary>Writes the beginning of a tile, which has no jumps.</summary>
    public void Begin()
    {
        Load();
        for (var group = 0; group < HeadGroups; group++) Group(group, GroupInputs);
    }

    /// <summary>Writes the rest of it and moves the arguments for it to the next.</summary>
    public void Complete()
    {
        if (HeadGroups > 0) Step(HeadGroups);
        var (groups, rest) = Math.DivRem(key.Inputs - HeadGroups * GroupInputs, GroupInputs);
        var rounds = groups < 2 * Unroll ? 0 : groups / Unroll;
        var straight = groups - rounds * Unroll;
        if (rounds > 0) Loop(rounds);
        for (var group = 0; group < straight; group++) Group(group, GroupInputs);
        if (rest > 0) Group(straight, rest);
        Advance();
    }

    /// <summary>Points at the tile and starts its accumulators.</summary>
    void Load()
    {
        code.mov(Bases[0], DotProductEmitter.Argument(nameof(DotProductArguments.Activations)));
        for (var i = 1; i < BaseCount; i++)
        {
            code.lea(Bases[i], __[Bases[i - 1] + r10 * 2]);
            code.add(Bases[i], r10);
        }
        code.mov(rdx, DotProductEmitter.Argument(nameof(DotProductArguments.Panel)));
        StartAccumulators();
        _products.Begin();
        // Nothing left to fetch: this panel again, which costs nothing.
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.Ahead)));
        code.cmp(rax, DotProductEmitter.Argument(nameof(DotProductArguments.End)));
        code.cmovae(rax, rdx);
    }

    void StartAccumulators()
    {
        var isa = _vectors.Isa;
        if (tile.Packing.AccumulatorStarts)
        {
            for (var j = 0; j < Vectors; j++) _vectors.Load(Accumulator(0, j), VectorAssembler.At(rdx, j * isa.Bytes));
            code.add(rdx, GroupBytes);
        }
        else
        {
            for (var j = 0; j < Vectors; j++) _vectors.Do(isa.Clear, Accumulator(0, j), Accumulator(0, j), Accumulator(0, j));
        }
        for (var i = 1; i < key.Rows; i++)
            for (var j = 0; j < Vectors; j++) _vectors.Do(isa.Copy, Accumulator(i, j), Accumulator(0, j));
    }

    void Loop(int count)
    {
        var loop = code.CreateLabel();
        code.mov(ecx, count);
        code.Label(ref loop);
        for (var group = 0; group < Unroll; group++) Group(group, GroupInputs);
        Step(Unroll);
        code.dec(ecx);
        code.jne(loop);
    }

    /// <summary>Moves on by some groups.</summary>
    void Step(int groups)
    {
        foreach (var rows in Bases.AsSpan(0, BaseCount)) code.add(rows, groups * GroupInputs);
        code.add(rdx, groups * GroupBytes);
        code.add(rax, groups * LineBytes);
    }

    /// <summary>A group of four inputs, or the last with fewer, after which rax is lost.</summary>
    void Group(int group, int inputs)
    {
        if (inputs == GroupInputs) code.prefetcht1(__byte_ptr[rax + group * LineBytes]);
        if (key.Pipelined) AddByVectors(group, inputs);
        else AddByRows(group, inputs);
    }

    /// <summary>All weights of a group in registers, activations in turn.</summary>
    void AddByRows(int group, int inputs)
    {
        for (var j = 0; j < Vectors; j++) _vectors.Load(FirstWeights + j, Weights(group, j));
        for (var i = 0; i < key.Rows; i++)
        {
            if (inputs == GroupInputs) _products.TakeActivations(Row(i, group * GroupInputs).ToMemoryOperand(64));
            else
            {
                LoadBytes(i, group * GroupInputs, inputs);
                _products.TakeActivations(Register.EAX);
            }
            for (var j = 0; j < Vectors; j++) _products.Add(Accumulator(i, j), FirstWeights + j);
        }
    }

    /// <summary>The activations of all rows in registers, weights in turn: what there is room for beside the registers of an epilogue.</summary>
    void AddByVectors(int group, int inputs)
    {
        const int activations = TileEpilogueEmitter.Registers, weights = activations + DotProductTile.PipelinedRows;
        for (var i = 0; i < key.Rows; i++)
        {
            if (inputs == GroupInputs) _vectors.Broadcast(activations + i, Row(i, group * GroupInputs).ToMemoryOperand(64));
            else
            {
                LoadBytes(i, group * GroupInputs, inputs);
                _vectors.Broadcast(activations + i, Register.EAX);
            }
        }
        for (var j = 0; j < Vectors; j++)
        {
            _vectors.Load(weights, Weights(group, j));
            for (var i = 0; i < key.Rows; i++) _vectors.Do(tile.Isa.DotProduct, Accumulator(i, j), activations + i, weights);
        }
    }

    /// <summary>1 to 3 activations to eax byte by byte: a row may end at the end of memory. Their missing partners have weight 0.</summary>
    void LoadBytes(int row, int first, int inputs)
    {
        code.movzx(eax, __byte_ptr[Row(row, first + inputs - 1)]);
        for (var input = inputs - 2; input >= 0; input--)
        {
            code.shl(eax, 8);
            code.movzx(ecx, __byte_ptr[Row(row, first + input)]);
            code.or(eax, ecx);
        }
    }

    MemoryOperand Weights(int group, int vector) => VectorAssembler.At(rdx, group * GroupBytes + vector * tile.Isa.Bytes);

    void AddProducts(int row)
    {
        for (var j = 0; j < Vectors; j++) _products.Add(Accumulator(row, j), FirstWeights + j);
    }

    /// <summary>Moves the arguments to the tile below, or to the first of the next panel.</summary>
    void Advance()
    {
        var (below, panelBytes) = (code.CreateLabel(), (int)tile.Packing.PanelBytes(key.Inputs));
        FetchOn();
        code.imul(rax, r10, key.Rows);
        code.add(DotProductEmitter.Argument(nameof(DotProductArguments.Activations)), rax);
        code.dec(DotProductEmitter.Argument(nameof(DotProductArguments.SumTiles)));
        code.jne(below);
        DotProductEmitter.Copy(code, nameof(DotProductArguments.Tiles), nameof(DotProductArguments.SumTiles));
        DotProductEmitter.Copy(code, nameof(DotProductArguments.FirstActivations), nameof(DotProductArguments.Activations));
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.Panel)));
        code.add(rax, panelBytes);
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.Panel)), rax);
        // What is fetched ahead starts behind this panel at the latest.
        code.add(rax, panelBytes);
        code.cmp(DotProductEmitter.Argument(nameof(DotProductArguments.Ahead)), rax);
        code.jae(below);
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.Ahead)), rax);
        DotProductEmitter.Land(code, ref below);
    }

    /// <summary>Moves on in the weights to come; behind the last of them to what is read next, and then to nothing.</summary>
    void FetchOn()
    {
        var more = code.CreateLabel();
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.Ahead)));
        code.add(rax, key.Inputs / GroupInputs * LineBytes);
        code.cmp(rax, DotProductEmitter.Argument(nameof(DotProductArguments.End)));
        code.jb(more);
        DotProductEmitter.Copy(code, nameof(DotProductArguments.NextEnd), nameof(DotProductArguments.End));
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.NextEnd)), 0);
        code.mov(rax, DotProductEmitter.Argument(nameof(DotProductArguments.Next)));
        code.Label(ref more);
        code.mov(DotProductEmitter.Argument(nameof(DotProductArguments.Ahead)), rax);
    }

    int Accumulator(int row, int vector) => firstAccumulator + row * Vectors + vector;

    int BaseCount => (key.Rows + RowsPerBase - 1) / RowsPerBase;

    /// <summary>An offset into a row of activations, from the base at or just above it.</summary>
    static AssemblerMemoryOperand Row(int row, int offset)
    {
        var start = Bases[row / RowsPerBase];
        return (row % RowsPerBase) switch { 0 => start + offset, 1 => start + r10 + offset, _ => start + r10 * 2 + offset };
    }
}
