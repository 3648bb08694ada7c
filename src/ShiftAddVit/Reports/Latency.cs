namespace ShiftAddVit.Reports;

/// <summary>Times of one engine, in milliseconds a call.</summary>
/// <param name="MedianMs">Median over the timed calls.</param>
/// <param name="MinMs">Fastest timed call.</param>
/// <param name="MaxMs">Slowest timed call.</param>
/// <param name="Spread">Interquartile range over median: the middle half of the calls lies this close together.</param>
/// <param name="Calls">How many calls were timed.</param>
public readonly record struct Latency(double MedianMs, double MinMs, double MaxMs, double Spread, int Calls)
{
    /// <summary>Sums up the times of single calls, in milliseconds; at least one.</summary>
    public static Latency Of(IEnumerable<double> times)
    {
        var sorted = times.Order().ToArray();
        var median = Quantile(sorted, 0.5);
        return new(median, sorted[0], sorted[^1], (Quantile(sorted, 0.75) - Quantile(sorted, 0.25)) / median, sorted.Length);
    }

    /// <summary>Linear between the neighbouring values.</summary>
    static double Quantile(double[] sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var (below, above) = (sorted[(int)Math.Floor(place)], sorted[(int)Math.Ceiling(place)]);
        return below + (above - below) * (place - Math.Floor(place));
    }
}
