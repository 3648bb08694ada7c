using ShiftAddVit.Imaging;
using ShiftAddVit.Inference;

using var model = CompiledModel.Load("deit_tiny.savit");                        // immutable, thread-safe: share it
using var classifier = new ImageClassifier(model, new() { MaxBatch = 8 });      // not thread-safe: one a thread
foreach (var (path, top) in args.Zip(classifier.Classify(args)))
    Console.WriteLine($"{path}: {string.Join(", ", top.Select(c => $"{c.ClassName} {c.Probability:P1}"))}");

// Raw tensors: [B,3,S,S] floats, normalised as model.Preprocessing says.
using var session = model.CreateSession(new() { MaxBatch = 2, Threads = 2 });   // not thread-safe either; allocates nothing per run
var (side, classes) = (model.Architecture.ImageSize, model.Architecture.Classes);
var images = new float[2 * 3 * side * side];
var logits = new float[2 * classes];
session.Run(images, batch: 2, logits);
foreach (var best in Classification.Top(logits.AsSpan(0, classes), 5, model.ClassNames))
    Console.WriteLine($"{best.Logit,8:0.000}  {best.ClassName}");
