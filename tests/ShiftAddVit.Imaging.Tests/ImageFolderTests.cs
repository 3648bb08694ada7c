using CsCheck;

namespace ShiftAddVit.Imaging.Tests;

public sealed class ImageFolderTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_flat_folder_lists_its_images_sorted_ordinally()
    {
        foreach (var name in new[] { "b.jpg", "B.png", "a.webp", "c.JPEG", "notes.txt", ".hidden.jpg" }) _directory.File(name);
        Assert.Equal(["B.png", "a.webp", "b.jpg", "c.JPEG"], Listed());
    }

    [Fact]
    public void Class_folders_list_theirs_in_order()
    {
        foreach (var name in new[] { "y/1.jpg", "x/2.jpg", "x/1.jpg" }) _directory.File(name);
        Assert.Equal(["x/1.jpg", "x/2.jpg", "y/1.jpg"], Listed());
    }

    [Fact]
    public void Labels_list_the_rows_and_their_classes_do_not_matter()
    {
        foreach (var name in new[] { "a.jpg", "b.jpg", "unlisted.jpg" }) _directory.File(name);
        _directory.File("labels.csv", "file,class_index\nb.jpg,12345\na.jpg,0\n");
        Assert.Equal(["b.jpg", "a.jpg"], Listed());
    }

    [Fact]
    public void A_folder_without_images_is_refused()
    {
        _directory.File("readme.md");
        Assert.Contains("holds no image", Assert.Throws<ShiftAddVitException>(() => ImageFolder.ListImages(_directory.Path)).Message);
    }

    [Fact]
    public void TakeEvenly_takes_floor_of_i_times_total_over_count() =>
        Gen.Select(Gen.Int[1, 3000], Gen.Int[1, 3000]).Sample((total, count) =>
        {
            var taken = ImageFolder.TakeEvenly([.. Enumerable.Range(0, total)], count);
            if (count >= total) return taken.SequenceEqual(Enumerable.Range(0, total));
            return taken.SequenceEqual(Enumerable.Range(0, count).Select(i => (int)Math.Floor((decimal)i * total / count)));
        });

    [Fact]
    public void TakeEvenly_of_none_is_a_bug() => Assert.Throws<ArgumentOutOfRangeException>(() => ImageFolder.TakeEvenly([1, 2], 0));

    IEnumerable<string> Listed() =>
        ImageFolder.ListImages(_directory.Path).Select(path => Path.GetRelativePath(_directory.Path, path).Replace('\\', '/'));
}
