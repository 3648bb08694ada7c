using System.Collections.Immutable;
using ShiftAddVit.Models;

namespace ShiftAddVit.Packing;

/// <summary>How the values of a plane are stored.</summary>
public enum PlaneEncoding
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>16-bit floats.</summary>
    F16,

    /// <summary>Codes of <see cref="Tensors.WeightFormat.S8"/>.</summary>
    S8,

    /// <summary>Codes of <see cref="Tensors.WeightFormat.P4"/>.</summary>
    P4,

    /// <summary>Codes of <see cref="Tensors.WeightFormat.P4P4"/>.</summary>
    P4P4,

    /// <summary>Codes of <see cref="Tensors.WeightFormat.P5"/>.</summary>
    P5,
}

/// <summary>One array of numbers in a packed file.</summary>
/// <param name="Name">Canonical parameter name; the row scales of a quantised weight end in <c>.scale</c>.</param>
/// <param name="Encoding">How its values are stored.</param>
public sealed record Plane(string Name, PlaneEncoding Encoding);

/// <summary>The JSON header of a packed file. Shapes and offsets follow from it and are not stored.</summary>
sealed record SavitHeader(
    VitArchitecture Architecture, Preprocessing? Preprocessing, ImmutableArray<string> ClassNames, Provenance Provenance,
    ImmutableArray<Plane> Planes)
{
    /// <summary>The lowest version that can hold the model: files of plain blocks stay as they were.</summary>
    public uint Version => Architecture.Forms.IsPlain ? SavitFormat.PlainVersion : SavitFormat.FormsVersion;
}
