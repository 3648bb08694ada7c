namespace ShiftAddVit.Reparameterization;

/// <summary>
/// H = SUM_t x_t x_t^T over the calibration tokens that enter a linear layer: up to a factor the Hessian of the layer's squared
/// output error with respect to a row of its weights.
/// </summary>
/// <param name="Size">K, inputs of the layer.</param>
/// <param name="Values">[K,K], symmetric; only the lower triangle (column &lt;= row) is read.</param>
/// <param name="Samples">Number of tokens summed.</param>
public sealed record SecondMoment(int Size, float[] Values, long Samples);
