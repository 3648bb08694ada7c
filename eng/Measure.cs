// Measures what the README's and docs/performance.md's tables show, on this machine, with the published command. Each form writes
// benchmarks/results/MACHINE/NAME.json, of its own name or deit-tiny.json for the first:
//   dotnet run eng/Measure.cs -- CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE
// VALIDATION_DIR holds labels.csv and images that only need cropping.
//   dotnet run eng/Measure.cs -- against-onnxruntime ONNX_DIR MACHINE [SECONDS]
// ONNX_DIR holds what eng/make-onnx writes for deit_tiny and deit_small; each combination is timed for SECONDS (default: 20).
//   dotnet run eng/Measure.cs -- scaling CHECKPOINT MACHINE
// How time grows with the batch and with the image's side.
//   dotnet run eng/Measure.cs -- startup CHECKPOINT IMAGE MACHINE
// From the start of the process to the answer.
//   dotnet run eng/Measure.cs -- kernels MACHINE
// What shiftadd kernels says of the paper's shapes and of DeiT's, untuned.
//   dotnet run eng/Measure.cs -- matmul MACHINE
// Our fp32 MatMul beside ONNX Runtime's.
//   dotnet run eng/Measure.cs -- attention CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE
// What each form of binary attention keeps of the accuracy, fitted to images and not, on some and on all blocks.
//   dotnet run eng/Measure.cs -- linear CHECKPOINT CALIBRATION_DIR ONNX_DIR MACHINE
// What linear attention costs beside ONNX Runtime and as images grow; ONNX_DIR also holds deit_tiny_1024.onnx (eng/make-onnx --size 1024).
//   dotnet run eng/Measure.cs -- mixtures CHECKPOINT CALIBRATION_DIR MACHINE
// Time of mixtures with 60 % of the tokens on shifts, and the shares that measured latencies ask for.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

const string onnx = "against-onnxruntime", scaling = "scaling", startup = "startup", kernels = "kernels", matmul = "matmul";
const string attention = "attention", linearAttention = "linear", mixtures = "mixtures";
string[] names = [onnx, scaling, startup, kernels, matmul, attention, linearAttention, mixtures];
var load = Load();
var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, ".."));
var work = Directory.CreateTempSubdirectory("shiftadd-measure-").FullName;
// Compiled ahead, as users are told to publish it: without a platform it would be intermediate code.
string[] compiledAhead = ["-r", RuntimeInformation.RuntimeIdentifier, "--no-self-contained"];
var shiftadd = Path.Combine(work, "bin", "shiftadd");
switch (args)
{
    case [onnx, var folder, var machine, .. var rest] when rest.Length < 2:
        Publish("bin", compiledAhead);
        (string, string)[] compared = [("deit_tiny", "shift2"), ("deit_tiny", "int8"), ("deit_small", "shift2"), ("deit_small", "int8")];
        Write(
            machine, onnx, new() { ["onnxruntime"] = PackageVersion("Microsoft.ML.OnnxRuntime") },
            compared.Select(pair => Against(folder, pair, rest is [var seconds] ? seconds : "20")));
        break;
    case [scaling, var checkpoint, var machine]:
        Publish("bin", compiledAhead);
        Write(machine, scaling, Named(checkpoint), Scaling(checkpoint));
        break;
    case [startup, var checkpoint, var image, var machine]:
        Publish("bin", compiledAhead);
        Publish("intermediate", []);
        Publish("native", ["-r", RuntimeInformation.RuntimeIdentifier, "-p:PublishAot=true"]);
        Write(machine, startup, Named(checkpoint), Startup(checkpoint, image));
        break;
    case [kernels, var machine]:
        Publish("bin", compiledAhead);
        Write(machine, kernels, [], Kernels());
        break;
    case [matmul, var machine]:
        Publish("bin", compiledAhead);
        var comparison = Json("dotnet", "run", "--project", Path.Combine(root, "benchmarks/ShiftAddVit.Benchmarks"), "-c", "Release", "--", matmul);
        Write(
            machine, matmul, new() { ["onnxruntime"] = PackageVersion("Microsoft.ML.OnnxRuntime") },
            comparison["results"]!.AsArray().Select(row => row!.DeepClone().AsObject()));
        break;
    case [attention, var checkpoint, var validation, var calibration, var machine]:
        Publish("bin", compiledAhead);
        Write(machine, attention, Named(checkpoint), Attention(checkpoint, validation, calibration));
        break;
    case [linearAttention, var checkpoint, var calibration, var folder, var machine]:
        Publish("bin", compiledAhead);
        Write(
            machine, linearAttention, new() { ["onnxruntime"] = PackageVersion("Microsoft.ML.OnnxRuntime") },
            LinearAttention(checkpoint, calibration, folder));
        break;
    case [mixtures, var checkpoint, var calibration, var machine]:
        Publish("bin", compiledAhead);
        Write(machine, mixtures, Named(checkpoint), Mixtures(checkpoint, calibration));
        break;
    case [var checkpoint, var validation, var calibration, var machine] when !names.Contains(checkpoint):
        Publish("bin", compiledAhead);
        (string, string)[] forms = [("dense", "-"), ("int8", "nearest"), ("shift2", "nearest"), ("shift", "nearest"), ("shift", "gptq")];
        Write(machine, "deit-tiny", Named(checkpoint), forms.Select(form => Measure(checkpoint, validation, calibration, form)));
        break;
    default:
        foreach (var line in File.ReadLines(Here()).TakeWhile(line => line.StartsWith("//", StringComparison.Ordinal)))
            if (line.Contains("dotnet run", StringComparison.Ordinal)) Console.Error.WriteLine($"usage: {line[2..].Trim()}");
        return 2;
}
Directory.Delete(work, recursive: true);
return 0;

void Publish(string folder, string[] how) =>
    Run("dotnet", ["publish", Path.Combine(root, "src/ShiftAddVit.Cli"), "-c", "Release", "-o", Path.Combine(work, folder), "-v", "q", .. how]);

JsonObject Named(string checkpoint) => new() { ["checkpoint"] = Path.GetFileName(checkpoint) };

// The rows behind what every result says of the machine and the software.
void Write(string machine, string name, JsonObject about, IEnumerable<JsonObject> rows)
{
    var doctor = Json(shiftadd, "doctor", "--json");
    var result = new JsonObject
    {
        ["machine"] = machine, ["cpu"] = doctor["cpu"]!.GetValue<string>(), ["processors"] = doctor["processors"]!.GetValue<int>(),
        ["runtime"] = doctor["runtime"]!.GetValue<string>(), ["version"] = doctor["version"]!.GetValue<string>(),
        ["load"] = load, ["command"] = "dotnet run eng/Measure.cs" + (names.Contains(name) ? $" -- {name}" : ""),
    };
    foreach (var (key, value) in about) result[key] = value!.DeepClone();
    result["rows"] = new JsonArray([.. rows]);
    var target = Path.Combine(root, "benchmarks", "results", machine, name + ".json");
    Directory.CreateDirectory(Path.GetDirectoryName(target)!);
    File.WriteAllText(target, result.ToJsonString(new() { WriteIndented = true }) + "\n");
    Console.WriteLine(target);
}

string PackageVersion(string package) =>
    Regex.Match(File.ReadAllText(Path.Combine(root, "Directory.Packages.props")), $"Include=\"{Regex.Escape(package)}\" Version=\"([^\"]+)\"")
        .Groups[1].Value;

// One model in one form beside ONNX Runtime in float32 and in int8, in turns.
JsonObject Against(string folder, (string Model, string Linear) form, string seconds)
{
    var (model, linear) = form;
    var (weights, packed) = (Path.Combine(folder, model + ".safetensors"), Path.Combine(work, $"{model}-{linear}.savit"));
    var reparameterized =
        Json(shiftadd, "reparameterize", weights, "-o", packed, "--linear", linear, "--arch", model + "_patch16_224", "--json");
    string[] kinds = ["", "_int8_dynamic", "_int8_qdq"];
    var files = kinds.SelectMany(kind => (string[])["--against", Path.Combine(folder, $"{model}{kind}.onnx")]);
    var results = Json(shiftadd, ["bench", packed, "--batch", "1,8", "--threads", "1,2", "--seconds", seconds, "--json", .. files])["results"]!.AsArray();
    var cold = Json(shiftadd, ["bench", packed, "--cold", "--seconds", seconds, "--json", .. files])["results"]!.AsArray();
    foreach (var row in results.Concat(cold).Select(row => row!.AsObject()))
        foreach (var (name, value) in row.ToArray())
            if (value!.GetValueKind() == JsonValueKind.Number) row[name] = Math.Round(value.GetValue<double>(), 4);
    Console.Error.WriteLine($"{model} {linear}");
    return new()
    {
        ["model"] = model, ["linear"] = linear, ["sha256"] = reparameterized["sha256"]!.GetValue<string>(),
        ["results"] = results.DeepClone(), ["cold"] = cold.DeepClone(),
    };
}

// One form of a checkpoint: size, accuracy, latency.
JsonObject Measure(string checkpoint, string validation, string calibration, (string Linear, string Method) form)
{
    var (linear, method) = form;
    var model = Path.Combine(work, $"{linear}-{method}.savit");
    string[] calibrate = method == "gptq" ? ["--method", "gptq", "--calibrate", calibration] : [];
    var packed = Json(shiftadd, ["reparameterize", checkpoint, "-o", model, "--linear", linear, "--json", .. calibrate]);
    var eval = Json(shiftadd, "eval", model, "--data", validation, "--resize", "none", "--json");
    var latency = Json(shiftadd, "bench", model, "--batch", "1,8", "--threads", "1,2", "--seconds", "5", "--json")["results"]!.AsArray();
    var row = new JsonObject
    {
        ["linear"] = linear, ["method"] = method, ["bytes"] = packed["bytes"]!.GetValue<long>(), ["sha256"] = packed["sha256"]!.GetValue<string>(),
        ["reparameterize_seconds"] = Math.Round(packed["seconds"]!.GetValue<double>(), 1),
        ["top1"] = Math.Round(eval["top1"]!.GetValue<double>(), 2), ["top5"] = Math.Round(eval["top5"]!.GetValue<double>(), 2),
        ["images"] = eval["images"]!.GetValue<int>(),
    };
    foreach (var time in latency)
        row[$"ms_batch{time!["batch"]}_threads{time["threads"]}"] = Math.Round(time["median_ms"]!.GetValue<double>(), 2);
    Console.Error.WriteLine(row.ToJsonString());
    return row;
}

// Two shifts, one thread: the fastest call of each batch at 224 px and of one image of each side, all in turns; where the time goes.
IEnumerable<JsonObject> Scaling(string checkpoint)
{
    const int rounds = 6;
    (int Side, string Batches)[] cases = [(224, "1,2,4,8,16"), (320, "1"), (448, "1")];
    foreach (var (side, _) in cases) Reparameterize(checkpoint, Model(side), "--crop", $"{side}");
    var rows = new SortedDictionary<(int Side, int Batch), JsonObject>();
    var budgets = new Dictionary<int, JsonNode>();
    for (var round = 0; round < rounds; round++)
        foreach (var (side, batches) in cases)
        {
            var bench = Json(shiftadd, "bench", Model(side), "--batch", batches, "--threads", "1", "--seconds", "1", "--budget", "--json");
            foreach (var time in bench["results"]!.AsArray()) Faster(rows, side, time!);
            if (!budgets.TryGetValue(side, out var before) || Spent(bench) < Spent(before)) budgets[side] = bench;
        }
    foreach (var ((side, batch), row) in rows)
    {
        row["multiply_adds"] = batch * budgets[side]["budget"]!.AsArray().Sum(part => part!["multiply_adds"]!.GetValue<long>());
        if (batch != 1) continue;
        row["peak_byte_products"] = Math.Round(budgets[side]["peak_byte_products"]!.GetValue<double>(), 1);
        row["peak_multiply_adds"] = Math.Round(budgets[side]["peak_multiply_adds"]!.GetValue<double>(), 1);
        row["budget"] = budgets[side]["budget"]!.DeepClone();
        foreach (var part in row["budget"]!.AsArray())
            foreach (var number in (string[])["ms", "share", "floor_ms"]) part![number] = Math.Round(part[number]!.GetValue<double>(), 4);
    }
    return rows.Values;

    string Model(int side) => Path.Combine(work, $"{side}.savit");
    static double Spent(JsonNode bench) => bench["budget"]!.AsArray().Sum(part => part!["ms"]!.GetValue<double>());
}

static void Faster(SortedDictionary<(int, int), JsonObject> rows, int side, JsonNode time)
{
    var (batch, ms, calls) = (time["batch"]!.GetValue<int>(), Math.Round(time["min_ms"]!.GetValue<double>(), 3), time["calls"]!.GetValue<int>());
    var row = rows.TryGetValue((side, batch), out var found) ? found : rows[(side, batch)] = new() { ["side"] = side, ["batch"] = batch };
    row["min_ms"] = Math.Min(ms, row["min_ms"]?.GetValue<double>() ?? ms);
    row["calls"] = calls + (row["calls"]?.GetValue<int>() ?? 0);
}

void Reparameterize(string checkpoint, string model, params string[] options) =>
    Run(shiftadd, ["reparameterize", checkpoint, "-o", model, "--linear", "shift2", "--arch", "deit_tiny_patch16_224", .. options]);

// Each form on three and six blocks and on all, taylor also on all but the first. Blocks of quadratic and taylor attention are those that alone change
// the logits least when converted, on 48 training images that nothing was fitted to; those of the other two were taken from the middle.
IEnumerable<JsonObject> Attention(string checkpoint, string validation, string calibration)
{
    int[] all = [.. Enumerable.Range(0, 12)], quadratic = [5, 6, 4, 7, 11, 3], linear = [5, 4, 11, 3, 2, 6], hashed = [4, 5, 6, 3, 1, 0];
    (string Form, string Codes, int[] Order)[] forms =
    [
        ("quadratic", "sign", quadratic), ("taylor", "sign", linear), ("angular", "quant", hashed), ("ecoformer", "ksh", hashed),
    ];
    foreach (var (form, codes, order) in forms)
        foreach (var blocks in (int[][])[order[..3], order, .. form == "taylor" ? [all[1..]] : Array.Empty<int[]>(), all])
            foreach (var fits in (bool[])[true, false])
            {
                var model = Path.Combine(work, "attention.savit");
                var names = blocks.SelectMany(block => (string[])["--only", $"blocks.{block}.attn"]);
                string[] fit = fits ? ["--calibrate", calibration] : [];
                var packed = Json(shiftadd, [
                    "reparameterize", checkpoint, "-o", model, "--attention", form, "--codes", codes, "--linear", "shift2", "--json",
                    .. names, .. (string[])["--only", "qkv", "--only", "proj", "--only", "fc1", "--only", "fc2"], .. fit]);
                var eval = Json(shiftadd, "eval", model, "--data", validation, "--resize", "none", "--json");
                var row = new JsonObject
                {
                    ["form"] = form, ["codes"] = codes, ["blocks"] = new JsonArray([.. blocks.Order().Select(block => JsonValue.Create(block))]),
                    ["fitted"] = fits, ["sha256"] = packed["sha256"]!.GetValue<string>(), ["seconds"] = Math.Round(packed["seconds"]!.GetValue<double>(), 1),
                    ["top1"] = Math.Round(eval["top1"]!.GetValue<double>(), 2), ["top5"] = Math.Round(eval["top5"]!.GetValue<double>(), 2),
                    ["images"] = eval["images"]!.GetValue<int>(),
                };
                Console.Error.WriteLine(row.ToJsonString());
                yield return row;
            }
}

// Taylor attention and two shifts. Beside ONNX Runtime at 224 px (the first block softmax) and at 1024 px (none); then alone, as images grow.
IEnumerable<JsonObject> LinearAttention(string checkpoint, string calibration, string folder)
{
    string[] all = ["--only", "attn", "--only", "qkv", "--only", "proj", "--only", "fc1", "--only", "fc2"];
    yield return Beside("deit_tiny.onnx", ["--calibrate", calibration], "8");
    yield return Beside("deit_tiny_1024.onnx", [.. all, "--crop", "1024"], "30");
    foreach (var (form, options) in ((string, string[])[])[("first block softmax", []), ("all blocks linear", all)])
        foreach (var side in (int[])[224, 320, 448, 640, 1024, 1536])
        {
            var model = Taylor([.. options, "--crop", $"{side}"]);
            var bench = Json(shiftadd, "bench", model, "--threads", "1", "--seconds", "4", "--budget", "--json");
            yield return new()
            {
                ["form"] = form, ["side"] = side, ["tokens"] = side / 16 * (side / 16) + 1,
                ["min_ms"] = Math.Round(bench["results"]![0]!["min_ms"]!.GetValue<double>(), 3), ["budget"] = bench["budget"]!.DeepClone(),
            };
        }

    string Taylor(string[] options)
    {
        var model = Path.Combine(work, "taylor.savit");
        Json(shiftadd, [
            "reparameterize", checkpoint, "-o", model, "--arch", "deit_tiny_patch16_224", "--attention", "taylor", "--linear", "shift2", "--json", .. options]);
        return model;
    }

    JsonObject Beside(string file, string[] options, string seconds) => new()
    {
        ["against"] = file,
        ["results"] = Json(shiftadd, "bench", Taylor(options), "--seconds", seconds, "--json", "--against", Path.Combine(folder, file))["results"]!.DeepClone(),
    };
}

// Mixtures in all layers of the blocks, routers set so that six tokens of ten take the last expert.
IEnumerable<JsonObject> Mixtures(string checkpoint, string calibration)
{
    foreach (var experts in (string[])["dense,shift", "int8,shift2"])
    {
        var (model, latencies) = (Path.Combine(work, "mixtures.savit"), Path.Combine(work, "latencies.json"));
        Json(shiftadd, "reparameterize", checkpoint, "-o", model, "--moe", "qkv,proj,fc1,fc2", "--experts", experts, "--moe-share", "0.6",
            "--calibrate", calibration, "--calibrate-count", "64", "--json");
        var bench = Json(shiftadd, "bench", model, "--threads", "1", "--seconds", "6", "--budget", "--json");
        Json(shiftadd, "tune", model, "--threads", "1", "--experts", latencies, "--json");
        yield return new()
        {
            ["experts"] = experts, ["results"] = bench["results"]!.DeepClone(), ["budget"] = bench["budget"]!.DeepClone(),
            ["latencies"] = JsonNode.Parse(File.ReadAllText(latencies)),
        };
    }
}

// The command in the forms that it is published in, on all processors and on one: after one run of each, ten in turns, the median counts.
IEnumerable<JsonObject> Startup(string checkpoint, string image)
{
    const int runs = 10, watched = 3;
    var model = Path.Combine(work, "shift2.savit");
    Reparameterize(checkpoint, model);
    (string Name, string Folder, string[] Prefix)[] forms =
    [
        ("compiled ahead", "bin", []), ("compiled ahead", "bin", ["taskset", "-c", "0"]),
        ("intermediate code", "intermediate", []), ("native code", "native", []),
    ];
    string[][] commands =
        [.. forms.Select(form => (string[])[.. form.Prefix, Path.Combine(work, form.Folder, "shiftadd"), "run", model, image, "--json"])];
    foreach (var command in commands) Time(command);
    var times = commands.Select(_ => new List<double>()).ToArray();
    for (var run = 0; run < runs; run++)
        for (var i = 0; i < commands.Length; i++) times[i].Add(Time(commands[i]));
    return forms.Select((form, i) => new JsonObject
    {
        ["published"] = form.Name, ["processors"] = form.Prefix.Length > 0 ? 1 : Environment.ProcessorCount, ["runs"] = runs,
        ["median_ms"] = Math.Round(Median(times[i])), ["min_ms"] = Math.Round(times[i].Min()), ["max_ms"] = Math.Round(times[i].Max()),
        ["peak_mb"] = Math.Round(Enumerable.Range(0, watched).Max(_ => PeakOf(commands[i])), 1),
    });
}

static double Median(IEnumerable<double> times)
{
    double[] sorted = [.. times.Order()];
    return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
}

// The paper's shapes, then those of DeiT-Tiny's blocks and of DeiT-Small's.
IEnumerable<JsonObject> Kernels()
{
    Environment.SetEnvironmentVariable("SHIFTADD_CACHE", "none");
    string[] shapes = ["197,192,576", "197,192,192", "197,192,768", "197,768,192", "197,384,384", "197,384,1536", "197,1536,384"];
    var options = shapes.SelectMany(shape => (string[])["--shape", shape]);
    JsonNode[] timed = [Json(shiftadd, "kernels", "--json"), Json(shiftadd, ["kernels", "--json", .. options])];
    return timed.SelectMany(result => result["shapes"]!.AsArray()).Select(shape => shape!.DeepClone().AsObject());
}

static JsonNode Json(string program, params string[] arguments) => JsonNode.Parse(Run(program, arguments))!;

static string Run(string program, params string[] arguments)
{
    using var process = Start(program, arguments);
    var output = process.StandardOutput.ReadToEnd();
    RequireSuccess(process);
    return output;
}

// How long a command takes, in milliseconds.
static double Time(string[] command)
{
    var started = Stopwatch.GetTimestamp();
    Run(command[0], command[1..]);
    return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
}

// The most memory that a command has resident; looking takes time from it, so nothing is timed meanwhile.
static double PeakOf(string[] command)
{
    using var process = Start(command[0], command[1..]);
    var output = process.StandardOutput.ReadToEndAsync();
    double peak = 0;
    while (!process.WaitForExit(2)) peak = Math.Max(peak, PeakMegabytes(process.Id));
    RequireSuccess(process);
    return peak;
}

static Process Start(string program, string[] arguments) =>
    Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;

static void RequireSuccess(Process process)
{
    process.WaitForExit();
    var info = process.StartInfo;
    if (process.ExitCode != 0)
        throw new InvalidOperationException($"{info.FileName} {string.Join(' ', info.ArgumentList)} ended with {process.ExitCode}");
}

// How many processes wanted a processor in the minute before, which Linux knows; other work spoils what is measured, two threads most.
static double? Load() => File.Exists("/proc/loadavg")
    ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : null;

// The largest resident set so far, which Linux keeps while the process lives; 0 elsewhere.
static double PeakMegabytes(int process)
{
    try
    {
        var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[6..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture) / 1000;
    }
    catch (IOException)
    {
        return 0;
    }
}

static string Here([CallerFilePath] string path = "") => path;
