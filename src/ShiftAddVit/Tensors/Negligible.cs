namespace ShiftAddVit.Tensors;

/// <summary>When the values of a token or of a row of weights are too small to be scaled to integers.</summary>
static class Negligible
{
    /// <summary>2^-100. A largest magnitude below it counts as 0: its reciprocal, times the largest level, is still finite.</summary>
    public const float Below = 7.888609e-31f;
}
