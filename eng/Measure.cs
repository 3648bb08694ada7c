// Measures what the README's table shows, on this machine, with the published command:
//   dotnet run eng/Measure.cs -- CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE
// VALIDATION_DIR holds labels.csv and images that only need cropping. Writes benchmarks/results/MACHINE/deit-tiny.json.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

if (args is not [var checkpoint, var validation, var calibration, var machine])
{
    Console.Error.WriteLine("usage: dotnet run eng/Measure.cs -- CHECKPOINT VALIDATION_DIR CALIBRATION_DIR MACHINE");
    return 2;
}

var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, ".."));
var work = Directory.CreateTempSubdirectory("shiftadd-measure-").FullName;
Run("dotnet", "publish", Path.Combine(root, "src/ShiftAddVit.Cli"), "-c", "Release", "-o", Path.Combine(work, "bin"), "-v", "q");
var shiftadd = Path.Combine(work, "bin", "shiftadd");
var image = Directory.EnumerateFiles(validation).Where(file => !file.EndsWith(".csv", StringComparison.Ordinal)).Order().First();

var rows = new JsonArray();
foreach (var (linear, method) in new[] { ("dense", "-"), ("int8", "nearest"), ("shift2", "nearest"), ("shift", "nearest"), ("shift", "gptq") })
    rows.Add((JsonNode)Measure(linear, method));

var doctor = Json(shiftadd, "doctor", "--json").Output;
var result = new JsonObject
{
    ["machine"] = machine, ["cpu"] = doctor["cpu"]!.GetValue<string>(), ["processors"] = doctor["processors"]!.GetValue<int>(),
    ["runtime"] = doctor["runtime"]!.GetValue<string>(), ["version"] = doctor["version"]!.GetValue<string>(),
    ["command"] = "dotnet run eng/Measure.cs", ["checkpoint"] = Path.GetFileName(checkpoint), ["rows"] = rows,
};
var target = Path.Combine(root, "benchmarks", "results", machine, "deit-tiny.json");
Directory.CreateDirectory(Path.GetDirectoryName(target)!);
File.WriteAllText(target, result.ToJsonString(new() { WriteIndented = true }) + "\n");
Console.WriteLine(target);
Directory.Delete(work, recursive: true);
return 0;

JsonObject Measure(string linear, string method)
{
    var model = Path.Combine(work, $"{linear}-{method}.savit");
    string[] calibrate = method == "gptq" ? ["--method", "gptq", "--calibrate", calibration] : [];
    var packed = Json(shiftadd, ["reparameterize", checkpoint, "-o", model, "--linear", linear, "--json", .. calibrate]).Output;
    var eval = Json(shiftadd, "eval", model, "--data", validation, "--resize", "none", "--json").Output;
    var latency = Json(shiftadd, "bench", model, "--batch", "1,8", "--threads", "1,2", "--seconds", "5", "--json").Output["results"]!.AsArray();
    var run = Json(shiftadd, "run", model, image, "--threads", "1", "--json");
    var row = new JsonObject
    {
        ["linear"] = linear, ["method"] = method, ["bytes"] = packed["bytes"]!.GetValue<long>(), ["sha256"] = packed["sha256"]!.GetValue<string>(),
        ["reparameterize_seconds"] = Math.Round(packed["seconds"]!.GetValue<double>(), 1),
        ["top1"] = Math.Round(eval["top1"]!.GetValue<double>(), 2), ["top5"] = Math.Round(eval["top5"]!.GetValue<double>(), 2),
        ["images"] = eval["images"]!.GetValue<int>(), ["run_seconds"] = Math.Round(run.Seconds, 2), ["run_peak_mb"] = run.PeakMegabytes,
    };
    foreach (var time in latency)
        row[$"ms_batch{time!["batch"]}_threads{time["threads"]}"] = Math.Round(time["median_ms"]!.GetValue<double>(), 2);
    Console.Error.WriteLine(row.ToJsonString());
    return row;
}

static (JsonNode Output, double Seconds, double PeakMegabytes) Json(string program, params string[] arguments)
{
    var (output, seconds, peak) = Run(program, arguments);
    return (JsonNode.Parse(output)!, seconds, peak);
}

static (string Output, double Seconds, double PeakMegabytes) Run(string program, params string[] arguments)
{
    var started = Stopwatch.GetTimestamp();
    using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
    var output = process.StandardOutput.ReadToEndAsync();
    double peak = 0;
    while (!process.WaitForExit(2)) peak = Math.Max(peak, PeakMegabytes(process.Id));
    if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}");
    return (output.Result, Stopwatch.GetElapsedTime(started).TotalSeconds, Math.Round(peak, 1));
}

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
