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
}
