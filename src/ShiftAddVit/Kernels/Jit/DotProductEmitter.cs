using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes the x86-64 code that multiplies a column of tiles by one panel of weights: each int32 lane adds four products of an unsigned
/// activation and a signed weight at a time. Accumulators start at -128 * SUM_k w, the panel's first row, where products are of q and not of
/// q - 128.
/// Vector registers: from the last down the accumulators (row-major), below them a group's weights, in the lowest what products need.
/// rdi arguments, r8, rsi, r9 and r11 rows 0, 3, 6 and 9 of the tile, r10 their stride, rdx the panel, rcx the loop, rax weights to come.
/// With each group one cache line of weights to come is fetched into the second-level cache: four tiles fetch a panel.
/// </summary>
sealed class DotProductEmitter
{
    public const int GroupInputs = 4;
    const int Unroll = 4, RowsPerBase = 3, LineBytes = 64;

    static readonly AssemblerRegister64[] Bases = [r8, rsi, r9, r11];

    readonly DotProductKey _key;
    readonly DotProductTile _tile;
    readonly Assembler _ = new(64);
    readonly VectorAssembler _vectors;
    readonly ByteProducts _products;
    readonly int _firstAccumulator, _firstWeights;

    public DotProductEmitter(DotProductKey key, DotProductTile tile)
    {
        (_key, _tile) = (key, tile);
        _vectors = new(tile.Isa, _, VectorAssembler.At(rdi, Offset(nameof(DotProductArguments.TailLanes))));
        _firstAccumulator = tile.Isa.Registers - key.Rows * key.Vectors;
        _firstWeights = _firstAccumulator - key.Vectors;
        _products = ByteProducts.Create(tile.Products, _vectors, _firstWeights);
    }

    int GroupBytes => _tile.Vectors * _vectors.Isa.Bytes;

    /// <summary>Cache lines of weights to come that are fetched with each group.</summary>
    int GroupLines => int.Max(1, GroupBytes / LineBytes / 4);

    public byte[] Emit()
    {
        Prologue();
        var tile = _.CreateLabel();
        _.Label(ref tile);
        Load();
        Accumulate();
        new TileEpilogueEmitter(_key, _, _vectors, _firstAccumulator).Emit();
        Advance();
        _.dec(__qword_ptr[rdi + Offset(nameof(DotProductArguments.Tiles))]);
        _.jne(tile);
        _.vzeroupper();
        CallingConvention.Leave(_);
        using var code = new MemoryStream();
        _.Assemble(new StreamCodeWriter(code), 0);
        return code.ToArray();
    }

    internal static int Offset(string field) => (int)Marshal.OffsetOf<DotProductArguments>(field);

    int Accumulator(int row, int vector) => _firstAccumulator + row * _key.Vectors + vector;

    void Prologue()
    {
        CallingConvention.Enter(_);
        _.mov(r10, __[rdi + Offset(nameof(DotProductArguments.ActivationStride))]);
        if (!_key.Masked || !_vectors.Isa.HasMaskRegisters) return;
        _.mov(rax, __[rdi + Offset(nameof(DotProductArguments.Mask))]);
        _.kmovw(k1, eax);
    }

    /// <summary>Points at the tile and starts its accumulators.</summary>
    void Load()
    {
        _.mov(Bases[0], __[rdi + Offset(nameof(DotProductArguments.Activations))]);
        for (var i = 1; i < BaseCount; i++)
        {
            _.lea(Bases[i], __[Bases[i - 1] + r10 * 2]);
            _.add(Bases[i], r10);
        }
        _.mov(rdx, __[rdi + Offset(nameof(DotProductArguments.Panel))]);
        StartAccumulators();
        _products.Begin();
        // Beyond the last weights: this panel again, which costs nothing.
        _.mov(rax, __[rdi + Offset(nameof(DotProductArguments.Ahead))]);
        _.cmp(rax, __[rdi + Offset(nameof(DotProductArguments.End))]);
        _.cmovae(rax, rdx);
    }

    void StartAccumulators()
    {
        var isa = _vectors.Isa;
        if (_tile.AccumulatorStarts)
        {
            for (var j = 0; j < _key.Vectors; j++) _vectors.Load(Accumulator(0, j), VectorAssembler.At(rdx, j * isa.Bytes));
            _.add(rdx, GroupBytes);
        }
        else
        {
            for (var j = 0; j < _key.Vectors; j++) _vectors.Do(isa.Clear, Accumulator(0, j), Accumulator(0, j), Accumulator(0, j));
        }
        for (var i = 1; i < _key.Rows; i++)
            for (var j = 0; j < _key.Vectors; j++) _vectors.Do(isa.Copy, Accumulator(i, j), Accumulator(0, j));
    }

    void Accumulate()
    {
        var (groups, rest) = Math.DivRem(_key.Inputs, GroupInputs);
        var rounds = groups < 2 * Unroll ? 0 : groups / Unroll;
        var straight = groups - rounds * Unroll;
        if (rounds > 0) Loop(rounds);
        Groups(straight);
        if (rest > 0) LastGroup(straight, rest);
    }

    void Loop(int count)
    {
        var loop = _.CreateLabel();
        _.mov(ecx, count);
        _.Label(ref loop);
        Groups(Unroll);
        foreach (var rows in Bases.AsSpan(0, BaseCount)) _.add(rows, Unroll * GroupInputs);
        _.add(rdx, Unroll * GroupBytes);
        _.add(rax, Unroll * LineBytes);
        _.dec(ecx);
        _.jne(loop);
    }

    void Groups(int count)
    {
        for (var group = 0; group < count; group++)
        {
            LoadWeights(group);
            _.prefetcht1(__byte_ptr[rax + group * LineBytes]);
            for (var i = 0; i < _key.Rows; i++)
            {
                _products.TakeActivations(Row(i, group * GroupInputs).ToMemoryOperand(64));
                AddProducts(i);
            }
        }
    }

    /// <summary>The last 1 to 3 inputs, fetched byte by byte: a row may end at the end of memory. Their missing partners have weight 0.</summary>
    void LastGroup(int group, int inputs)
    {
        LoadWeights(group);
        for (var i = 0; i < _key.Rows; i++)
        {
            var first = group * GroupInputs;
            _.movzx(eax, __byte_ptr[Row(i, first + inputs - 1)]);
            for (var input = inputs - 2; input >= 0; input--)
            {
                _.shl(eax, 8);
                _.movzx(ecx, __byte_ptr[Row(i, first + input)]);
                _.or(eax, ecx);
            }
            _products.TakeActivations(Register.EAX);
            AddProducts(i);
        }
    }

    void LoadWeights(int group)
    {
        for (var j = 0; j < _key.Vectors; j++)
            _vectors.Load(_firstWeights + j, VectorAssembler.At(rdx, group * GroupBytes + j * _vectors.Isa.Bytes));
    }

    void AddProducts(int row)
    {
        for (var j = 0; j < _key.Vectors; j++) _products.Add(Accumulator(row, j), _firstWeights + j);
    }

    /// <summary>Moves the arguments to the next tile; the epilogue has moved the output.</summary>
    void Advance()
    {
        _.add(__qword_ptr[rdi + Offset(nameof(DotProductArguments.Ahead))], _key.Inputs / GroupInputs * LineBytes);
        _.imul(rax, r10, _key.Rows);
        _.add(__[rdi + Offset(nameof(DotProductArguments.Activations))], rax);
    }

    int BaseCount => (_key.Rows + RowsPerBase - 1) / RowsPerBase;

    /// <summary>An offset into a row of activations, from the base at or just above it.</summary>
    static AssemblerMemoryOperand Row(int row, int offset)
    {
        var start = Bases[row / RowsPerBase];
        return (row % RowsPerBase) switch { 0 => start + offset, 1 => start + r10 + offset, _ => start + r10 * 2 + offset };
    }
}
