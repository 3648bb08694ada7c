namespace ShiftAddVit.Tensors;

/// <summary>
/// How the weights of a linear layer are represented. Every format but <see cref="F32"/> and <see cref="P5"/> has one float32 scale a row.
/// </summary>
public enum WeightFormat
{
    /// <summary>Dense float32.</summary>
    F32,

    /// <summary>Integers -127..127, 8 bits a weight.</summary>
    S8,

    /// <summary>One shift: 0 or +-2^p, p = 0..6, 4 bits a weight (15 values).</summary>
    P4,

    /// <summary>Two shifts and one add: the sum of two <see cref="P4"/> with magnitude at most 127 (39 magnitudes with 0), 8 bits a weight.</summary>
    P4P4,

    /// <summary>One shift of DeepShift's range, without a row scale: 0 or +-2^p, p = -14..0, 5 bits a weight (31 values).</summary>
    P5,
}
