// Measures what the README's tables show, on this machine, with the published command:
//   dotnet run eng/Measure.cs -- CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE
// VALIDATION_DIR holds labels.csv and images that only need cropping. Writes benchmarks/results/MACHINE/deit-tiny.json.
//   dotnet run eng/Measure.cs -- against ONNX_DIR MACHINE [SECONDS]
// ONNX_DIR holds what eng/make-onnx writes for deit_tiny and deit_small; each combination is timed for SECONDS (default: 20). Writes
// benchmarks/results/MACHINE/against-onnxruntime.json.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

var load = Load();
var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, ".."));
var work = Directory.CreateTempSubdirectory("shiftadd-measure-").FullName;
var shiftadd = Path.Combine(work, "bin", "shiftadd");
switch (args)
{
    case [var checkpoint, var validation, var calibration, var machine] when checkpoint != "against":
        Publish();
        (string, string)[] forms = [("dense", "-"), ("int8", "nearest"), ("shift2", "nearest"), ("shift", "nearest"), ("shift", "gptq")];
        var measured = forms.Select(form => Measure(checkpoint, validation, calibration, form));
        Write(machine, "deit-tiny", new() { ["checkpoint"] = Path.GetFileName(checkpoint) }, measured);
        break;
    case ["against", var folder, var machine, .. var rest] when rest.Length < 2:
        Publish();
        (string, string)[] compared = [("deit_tiny", "shift2"), ("deit_tiny", "int8"), ("deit_small", "shift2"), ("deit_small", "int8")];
        Write(
            machine, "against-onnxruntime", new() { ["onnxruntime"] = PackageVersion("Microsoft.ML.OnnxRuntime") },
            compared.Select(pair => Against(folder, pair, rest is [var seconds] ? seconds : "20")));
        break;
    default:
        Console.Error.WriteLine("usage: dotnet run eng/Measure.cs -- CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE");
        Console.Error.WriteLine("       dotnet run eng/Measure.cs -- against ONNX_DIR MACHINE [SECONDS]");
        return 2;
}
Directory.Delete(work, recursive: true);
return 0;

void Publish() => Run("dotnet", "publish", Path.Combine(root, "src/ShiftAddVit.Cli"), "-c", "Release", "-o", Path.Combine(work, "bin"), "-v", "q");

// The rows behind what every result says of the machine and the software.
void Write(string machine, string name, JsonObject about, IEnumerable<JsonObject> rows)
{
    var doctor = Json(shiftadd, "doctor", "--json");
    var result = new JsonObject
    {
        ["machine"] = machine, ["cpu"] = doctor["cpu"]!.GetValue<string>(), ["processors"] = doctor["processors"]!.GetValue<int>(),
        ["runtime"] = doctor["runtime"]!.GetValue<string>(), ["version"] = doctor["version"]!.GetValue<string>(),
        ["load"] = load, ["command"] = name == "deit-tiny" ? "dotnet run eng/Measure.cs" : "dotnet run eng/Measure.cs -- against",
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
    var bench = Json(shiftadd, ["bench", packed, "--batch", "1,8", "--threads", "1,2", "--seconds", seconds, "--json", .. files]);
    foreach (var row in bench["results"]!.AsArray().Select(row => row!.AsObject()))
        foreach (var (name, value) in row.ToArray())
            if (value!.GetValueKind() == JsonValueKind.Number) row[name] = Math.Round(value.GetValue<double>(), 4);
    Console.Error.WriteLine($"{model} {linear}");
    return new()
    {
        ["model"] = model, ["linear"] = linear, ["sha256"] = reparameterized["sha256"]!.GetValue<string>(),
        ["results"] = bench["results"]!.DeepClone(),
    };
}

// One form of a checkpoint: size, accuracy, latency.
JsonObject Measure(string checkpoint, string validation, string calibration, (string Linear, string Method) form)
{
    var (linear, method) = form;
    var image = Directory.EnumerateFiles(validation).Where(file => !file.EndsWith(".csv", StringComparison.Ordinal)).Order().First();
    var model = Path.Combine(work, $"{linear}-{method}.savit");
    string[] calibrate = method == "gptq" ? ["--method", "gptq", "--calibrate", calibration] : [];
    var packed = Json(shiftadd, ["reparameterize", checkpoint, "-o", model, "--linear", linear, "--json", .. calibrate]);
    var eval = Json(shiftadd, "eval", model, "--data", validation, "--resize", "none", "--json");
    var latency = Json(shiftadd, "bench", model, "--batch", "1,8", "--threads", "1,2", "--seconds", "5", "--json")["results"]!.AsArray();
    var run = Watch(shiftadd, "run", model, image, "--threads", "1", "--json");
    var row = new JsonObject
    {
        ["linear"] = linear, ["method"] = method, ["bytes"] = packed["bytes"]!.GetValue<long>(), ["sha256"] = packed["sha256"]!.GetValue<string>(),
        ["reparameterize_seconds"] = Math.Round(packed["seconds"]!.GetValue<double>(), 1),
        ["top1"] = Math.Round(eval["top1"]!.GetValue<double>(), 2), ["top5"] = Math.Round(eval["top5"]!.GetValue<double>(), 2),
        ["images"] = eval["images"]!.GetValue<int>(), ["run_seconds"] = run.Seconds, ["run_peak_mb"] = run.PeakMegabytes,
    };
    foreach (var time in latency)
        row[$"ms_batch{time!["batch"]}_threads{time["threads"]}"] = Math.Round(time["median_ms"]!.GetValue<double>(), 2);
    Console.Error.WriteLine(row.ToJsonString());
    return row;
}

static JsonNode Json(string program, params string[] arguments) => JsonNode.Parse(Run(program, arguments))!;

static string Run(string program, params string[] arguments)
{
    using var process = Start(program, arguments);
    var output = process.StandardOutput.ReadToEnd();
    RequireSuccess(process);
    return output;
}

// How long a command takes and the most memory that it has resident; looking takes time from it.
static (double Seconds, double PeakMegabytes) Watch(string program, params string[] arguments)
{
    var started = Stopwatch.GetTimestamp();
    using var process = Start(program, arguments);
    var output = process.StandardOutput.ReadToEndAsync();
    double peak = 0;
    while (!process.WaitForExit(2)) peak = Math.Max(peak, PeakMegabytes(process.Id));
    RequireSuccess(process);
    return (Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 2), Math.Round(peak, 1));
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
