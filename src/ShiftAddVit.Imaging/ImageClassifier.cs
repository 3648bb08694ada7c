using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Imaging;

/// <summary>Image files to classes: pre-processing and a session of one model. Not thread-safe: one classifier a thread.</summary>
public sealed class ImageClassifier : IDisposable
{
    readonly CompiledModel _model;
    readonly Session _session;
    readonly ImagePreprocessor _preprocessor;
    readonly float[] _images;
    readonly float[] _logits;

    /// <summary>Creates a classifier.</summary>
    /// <param name="model">The model; must outlive the classifier.</param>
    /// <param name="options">Batch size, threads.</param>
    /// <param name="preprocessing">Used instead of the model's own.</param>
    /// <exception cref="ShiftAddVitException">
    /// Neither the model nor the caller says how images are to be prepared, or the crop is not the model's image size.
    /// </exception>
    public ImageClassifier(CompiledModel model, SessionOptions? options = null, Preprocessing? preprocessing = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        preprocessing?.Validate("image classifier", model.Architecture.ImageSize);
        _preprocessor = new(preprocessing ?? model.RequirePreprocessing());
        _session = model.CreateSession(options);
        _images = new float[_session.MaxBatch * _preprocessor.Length];
        _logits = new float[_session.MaxBatch * model.Architecture.Classes];
    }

    /// <summary>The best classes of one image, best first.</summary>
    /// <param name="path">A JPEG, PNG or WebP file.</param>
    /// <param name="top">How many classes.</param>
    /// <exception cref="ShiftAddVitException">The file cannot be used.</exception>
    public Classification[] Classify(string path, int top = 5) => Classify([path], top)[0];

    /// <summary>The best classes of each image, in the order of the paths.</summary>
    /// <exception cref="ShiftAddVitException">A file cannot be used.</exception>
    public Classification[][] Classify(IReadOnlyList<string> paths, int top = 5)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var results = new Classification[paths.Count][];
        for (var first = 0; first < paths.Count; first += _session.MaxBatch)
        {
            var batch = Math.Min(_session.MaxBatch, paths.Count - first);
            for (var i = 0; i < batch; i++) _preprocessor.Load(paths[first + i], _images.AsSpan(i * _preprocessor.Length, _preprocessor.Length));
            _session.Run(_images.AsSpan(0, batch * _preprocessor.Length), batch, _logits.AsSpan(0, batch * _model.Architecture.Classes));
            for (var i = 0; i < batch; i++)
            {
                var logits = _logits.AsSpan(i * _model.Architecture.Classes, _model.Architecture.Classes);
                results[first + i] = Classification.Top(logits, top, _model.ClassNames);
            }
        }
        return results;
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
