// Makes a small model of seeded weights, packs it as two shifts a weight, and classifies an image with it: arguments MODEL IMAGE.
using ShiftAddVit.Imaging;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

var architecture = new VitArchitecture(ImageSize: 32, PatchSize: 8, Width: 48, Depth: 2, Heads: 3, MlpWidth: 96, Classes: 10);
var random = new Random(1);
var weights = architecture.Parameters().ToDictionary(parameter => parameter.Name, parameter => Random(parameter.Shape));
var preprocessing = new Preprocessing(Resize: 32, Crop: 32, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd);
var graph = VitGraphBuilder.FromTensors(architecture, weights, preprocessing, [], new("seeded", new string('0', 64), []));
PackedModel.Pack(LinearPass.Apply(graph, WeightFormat.P4P4).Graph).Save(args[0]);

using var model = CompiledModel.Load(args[0]);
using var classifier = new ImageClassifier(model);
foreach (var top in classifier.Classify(args[1], top: 3)) Console.WriteLine($"{top.ClassName} {top.Probability:P1}");

Tensor Random(Shape shape) => new(shape, [.. Enumerable.Range(0, shape.ElementCount).Select(_ => random.NextSingle() - 0.5f)]);
