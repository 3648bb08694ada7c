namespace ShiftAddVit.Reports;

/// <summary>A model made ready to classify one batch of images again and again.</summary>
public interface IBenchmarkEngine : IDisposable
{
    /// <summary>What runs the model, e.g. <c>shiftadd</c>.</summary>
    string Name { get; }

    /// <summary>File name of the model, without its folder.</summary>
    string Model { get; }

    /// <summary>The result of the last run: [B, classes].</summary>
    ReadOnlySpan<float> Logits { get; }

    /// <summary>Classifies the batch, and does nothing else: this is what is timed. Its threads are idle soon after it returns.</summary>
    void Run();
}
