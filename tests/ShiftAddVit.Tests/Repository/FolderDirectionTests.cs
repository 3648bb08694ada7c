using System.Text.RegularExpressions;

namespace ShiftAddVit.Tests.Repository;

/// <summary>Data flows one way: a folder of the library uses only the folders above it.</summary>
public partial class FolderDirectionTests
{
    /// <summary>Top to bottom, as docs/pipeline.md shows them.</summary>
    static readonly string[] Folders = ["Tensors", "Checkpoints", "Models", "Reparameterization", "Packing", "Kernels", "Tuning", "Inference", "Fitting", "Reports"];

    [Fact]
    public void Every_folder_has_its_place() => Assert.Equal(
        Folders.Order(), Directory.GetDirectories(Path.Combine(RepositoryFiles.Root, "src/ShiftAddVit")).Select(Path.GetFileName).Order());

    [Fact]
    public void No_folder_uses_one_below_it()
    {
        var wrong = new List<string>();
        for (var i = 0; i < Folders.Length; i++)
            foreach (var file in RepositoryFiles.Sources($"src/ShiftAddVit/{Folders[i]}"))
                foreach (var used in UsedFolders(File.ReadAllText(file)))
                    if (Array.IndexOf(Folders, used) > i) wrong.Add($"{Folders[i]}/{Path.GetFileName(file)} uses {used}");
        Assert.Empty(wrong);
    }

    [Fact]
    public void A_use_is_recognised() => Assert.Equal(
        ["Models", "Kernels"], UsedFolders("using ShiftAddVit.Models;\nvar k = ShiftAddVit.Kernels.Portable.X;"));

    static IEnumerable<string> UsedFolders(string source) => FolderName().Matches(source).Select(match => match.Groups[1].Value);

    [GeneratedRegex(@"\bShiftAddVit\.(\w+)(?=[;.])")]
    private static partial Regex FolderName();
}
