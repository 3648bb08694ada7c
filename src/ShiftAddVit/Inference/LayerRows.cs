using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>Rows that enter a layer, and where its results go.</summary>
unsafe struct LayerRows
{
    /// <summary>M.</summary>
    public required int Count;

    /// <summary>x [M,K].</summary>
    public required float* Values;

    /// <summary>q [M,K], where the layer quantises its rows.</summary>
    public byte* Quantised;

    /// <summary>s [M], likewise.</summary>
    public float* Scales;

    /// <summary>For rows that were taken from among others.</summary>
    public RowTargets Targets;
}
