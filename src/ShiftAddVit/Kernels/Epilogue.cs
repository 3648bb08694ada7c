namespace ShiftAddVit.Kernels;

/// <summary>What becomes of a linear layer's output y.</summary>
enum Epilogue
{
    /// <summary>out = y.</summary>
    Store,

    /// <summary>out = gelu(y), as <see cref="RowOps.Gelu"/>.</summary>
    Gelu,

    /// <summary>out = gelu(y) from a table, as <see cref="RowOps.TableGelu"/>.</summary>
    TableGelu,

    /// <summary>out += y.</summary>
    AddResidual,

    /// <summary>Each head of y quantised on its own, as <see cref="RowOps.Quantize"/>: out are bytes, with a scale for each row and head.</summary>
    QuantizeHeads,

    /// <summary>Each head of y as a code, as <see cref="RowOps.Code"/>: out are words of 64 bits, one for each row and head.</summary>
    Codes,
}
