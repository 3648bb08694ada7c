using System.Runtime.CompilerServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>What the code of a tile does.</summary>
enum TileKind
{
    Fma,
    FakeShift,
    ShiftP4,
    ShiftP4P4,
    LookUp,
    LookUpAdd,
    Popcount,
    PopcountRows,
    Distance,
    MaskedTokens,
    MaskedCodes,
    LookUpCodes,
}

/// <summary>What the code of a tile is made for; equal keys share code.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Rows">Rows of the tile.</param>
/// <param name="Vectors">Vectors of outputs of a row.</param>
/// <param name="Length">How many inputs, or terms, are summed.</param>
/// <param name="Masked">Whether outputs are stored under a mask.</param>
readonly record struct TileKey(TileKind Kind, int Rows, int Vectors, int Length, bool Masked = false)
{
    static readonly CodeCache<TileKey> Code = new("Tile", key => key.Emitter().Emit());

    public nint Function => Code.Get(this);

    public override string ToString() => $"{Kind}_{Rows}x{Vectors}{(Masked ? "m" : "")}_{Length}";

    public TileEmitter Emitter() => Kind switch
    {
        TileKind.Fma or TileKind.FakeShift => new FmaTileEmitter(this),
        TileKind.ShiftP4 or TileKind.ShiftP4P4 => new ShiftTileEmitter(this),
        TileKind.LookUp or TileKind.LookUpAdd => new LookUpTileEmitter(this),
        TileKind.Popcount => new PopcountTileEmitter(this),
        TileKind.PopcountRows => new PopcountRowsEmitter(this),
        TileKind.MaskedTokens => new MaskedTokensEmitter(this),
        TileKind.MaskedCodes => new MaskedCodesEmitter(this),
        TileKind.LookUpCodes => new LookUpCodesEmitter(this),
        _ => new DistanceTileEmitter(this),
    };
}

/// <summary>
/// The functions of all tiles of a product: whole ones and those cut short at the ends of M and N. Looked up once a product, not once a tile.
/// </summary>
readonly unsafe struct TileFunctions
{
    readonly int _mr, _nr;
    readonly nint _whole, _lastRows, _lastOutputs, _corner;

    /// <param name="whole">The key of a whole tile.</param>
    /// <param name="lanes">Outputs of a vector.</param>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    public TileFunctions(TileKey whole, int lanes, int m, int n)
    {
        (_mr, _nr) = (whole.Rows, whole.Vectors * lanes);
        var (rows, vectors) = (m % _mr, (n % _nr + lanes - 1) / lanes);
        if (m >= _mr && n >= _nr) _whole = whole.Function;
        if (rows > 0 && n >= _nr) _lastRows = (whole with { Rows = rows }).Function;
        if (m >= _mr && vectors > 0) _lastOutputs = (whole with { Vectors = vectors, Masked = true }).Function;
        if (rows > 0 && vectors > 0) _corner = (whole with { Rows = rows, Vectors = vectors, Masked = true }).Function;
    }

    /// <summary>
    /// Computes a tile of a height up to Mr and a width up to Nr; sets the mask. By reference: a copy would read in vectors what was just written field
    /// by field, and so wait for the tile before to be stored.
    /// </summary>
    public void Run(ref TileArguments arguments, int height, int width)
    {
        arguments.Mask = TileArguments.First(width);
        var function = (height == _mr, width == _nr) switch
        {
            (true, true) => _whole,
            (false, true) => _lastRows,
            (true, false) => _lastOutputs,
            _ => _corner,
        };
        ((delegate* unmanaged<TileArguments*, void>)function)((TileArguments*)Unsafe.AsPointer(ref arguments));
    }
}
