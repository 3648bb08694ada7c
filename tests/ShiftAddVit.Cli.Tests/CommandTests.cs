using System.Collections.Immutable;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Cli.Tests;

/// <summary>A folder with tiny models and images, and the command run in this process.</summary>
public abstract class CommandTests : IDisposable
{
    /// <summary>Side of the tiny model's input.</summary>
    protected const int Side = 24;

    /// <summary>What the tiny checkpoint does not say itself.</summary>
    protected static string[] Known { get; } = ["--heads", "2", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"];

    protected TemporaryFolder Folder { get; } = new();

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static async Task<CommandResult> Run(params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var exitCode = await CommandLine.RunAsync(args, output, error);
        return new(exitCode, $"{output}", $"{error}");
    }

    /// <summary>Runs a command that must be refused in one line and leave the folder as it is.</summary>
    protected async Task Refuses(int exitCode, string[] named, params string[] args)
    {
        var before = Files();
        (await Run(args)).Refused(exitCode, named);
        Assert.Equal(before, Files());
    }

    /// <summary>Every file of the folder, temporary and hidden ones included, with its length and time.</summary>
    protected string[] Files() =>
    [
        .. Directory.EnumerateFiles(Folder.Path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Select(file => $"{file} {new FileInfo(file).Length} {File.GetLastWriteTimeUtc(file):O}").Order(StringComparer.Ordinal),
    ];

    protected string Checkpoint(string name = "tiny.safetensors")
    {
        SafetensorsWriter.Write(Folder[name], TinyModels.Weights(TinyModels.Architecture));
        return Folder[name];
    }

    protected string Packed(string name = "tiny.savit", ImmutableArray<string> classNames = default)
    {
        PackedModel.Pack(TinyModels.Create(classNames: classNames)).Save(Folder[name]);
        return Folder[name];
    }

    /// <summary>A model that says nothing about pre-processing.</summary>
    protected string PackedUnprepared()
    {
        PackedModel.Pack(TinyModels.Create() with { Preprocessing = null }).Save(Folder["unprepared.savit"]);
        return Folder["unprepared.savit"];
    }

    /// <summary>A seeded picture; its name says the format.</summary>
    protected string Image(string name = "cat.png", int width = Side, int height = Side, int seed = 1) =>
        TinyImages.Write(Folder[name], width, height, seed);

    protected string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Folder[name])!);
        File.WriteAllText(Folder[name], text);
        return Folder[name];
    }

    protected string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(Folder[name], bytes);
        return Folder[name];
    }

    /// <summary>Images with labels.csv, in the order given.</summary>
    protected string Data(params (string Image, int Class)[] rows)
    {
        Directory.CreateDirectory(Folder["data"]);
        for (var i = 0; i < rows.Length; i++) Image(Path.Combine("data", rows[i].Image), seed: i + 1);
        Write("data/labels.csv", string.Concat(rows.Select(row => $"{row.Image},{row.Class}\n").Prepend("file,class_index\n")));
        return Folder["data"];
    }

    /// <summary>The classes that a model proposes for an image, best first.</summary>
    protected static async Task<int[]> Classes(string model, string image) =>
        [.. (await Run("run", model, image, "--json")).Succeeded().Json.GetProperty("results")[0].GetProperty("top").EnumerateArray()
            .Select(top => top.GetProperty("class_index").GetInt32())];
}
