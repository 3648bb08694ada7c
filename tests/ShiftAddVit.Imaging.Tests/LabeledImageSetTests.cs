namespace ShiftAddVit.Imaging.Tests;

public sealed class LabeledImageSetTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void Rows_are_listed_in_their_order(string end)
    {
        foreach (var name in new[] { "b.jpg", "a.jpg", "sub/c.png" }) _directory.File(name);
        Labels(string.Join(end, "file,class_index", "b.jpg,2", "a.jpg,0", "", "sub/c.png,2", ""));
        var set = Open(3);
        Assert.Equal([("b.jpg", 2), ("a.jpg", 0), ("sub/c.png", 2)], Relative(set));
        Assert.Equal(3, set.Count);
    }

    [Fact]
    public void Folders_are_numbered_in_ordinal_order()
    {
        string[] files = ["n02/b.PNG", "n02/a.jpeg", "N03/x.webp", "n01/q.jpg", "n01/notes.txt", ".cache/z.jpg"];
        foreach (var name in files) _directory.File(name);
        Assert.Equal([("N03/x.webp", 0), ("n01/q.jpg", 1), ("n02/a.jpeg", 2), ("n02/b.PNG", 2)], Relative(Open(3)));
    }

    [Theory]
    [InlineData("n00", "n05", "n06", "n07")]
    [InlineData("n00 tench", "n05 great white shark", "n06 crane", "n07 crane")]
    public void Folders_named_like_classes_or_their_first_words_are_these_classes(params string[] classNames)
    {
        _directory.File("n07/a.jpg");
        _directory.File("n05/b.jpg");
        Assert.Equal([("n05/b.jpg", 1), ("n07/a.jpg", 3)], Relative(LabeledImageSet.Open(_directory.Path, 4, classNames)));
    }

    [Fact]
    public void A_whole_name_comes_before_a_first_word()
    {
        _directory.File("great/a.jpg");
        _directory.File("great white/b.jpg");
        var set = LabeledImageSet.Open(_directory.Path, 3, ["great white", "great grey", "great"]);
        Assert.Equal([("great/a.jpg", 2), ("great white/b.jpg", 0)], Relative(set));
    }

    [Fact]
    public void Folders_named_by_digits_are_class_indices_whatever_their_order()
    {
        foreach (var name in new[] { "10/a.jpg", "9/b.jpg", "011/c.jpg" }) _directory.File(name);
        Assert.Equal([("011/c.jpg", 11), ("10/a.jpg", 10), ("9/b.jpg", 9)], Relative(Open(12)));
    }

    [Fact]
    public void One_folder_for_each_class_is_taken_in_order_where_names_tell_nothing()
    {
        foreach (var name in new[] { "n01/1.jpg", "n02/1.jpg" }) _directory.File(name);
        Assert.Equal([0, 1], LabeledImageSet.Open(_directory.Path, 2, ["tench", "goldfish"]).Items.Select(item => item.ClassIndex));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(4, "tench", "goldfish", "crane bird", "crane machine")]
    [InlineData(3, "n01440764", "other", "another")]
    [InlineData(1, "n01440764")]
    public void Folders_whose_classes_cannot_be_told_are_refused(int classCount, params string[] classNames)
    {
        foreach (var name in new[] { "n01440764/1.jpg", "crane/1.jpg" }) _directory.File(name);
        AssertRefused(
            $"its class folders (2) do not say which of the model's {classCount} classes they hold; folders named 0 to {classCount - 1} ",
            () => LabeledImageSet.Open(_directory.Path, classCount, classNames));
    }

    [Fact]
    public void An_index_that_the_model_does_not_have_is_refused()
    {
        _directory.File("0/a.jpg");
        _directory.File("3/b.jpg");
        AssertRefused("do not say which of the model's 3 classes", () => Open(3));
    }

    [Theory]
    [InlineData("a.jpg,0\n")]
    [InlineData("")]
    [InlineData("path,label\na.jpg,0\n")]
    public void A_missing_header_is_refused(string labels)
    {
        _directory.File("a.jpg");
        Labels(labels);
        AssertRefused("the header \"file,class_index\" is needed", () => Open(2));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("2")]
    [InlineData("cat")]
    [InlineData("1.0")]
    [InlineData("")]
    [InlineData("99999999999")]
    public void A_label_that_cannot_be_used_names_the_row_and_the_range(string label)
    {
        _directory.File("a.jpg");
        Labels($"file,class_index\na.jpg,1\na.jpg,{label}\n");
        AssertRefused($"labels.csv: row 3: class_index \"{label}\" cannot be used; 0 to 1 are allowed", () => Open(2));
    }

    [Theory]
    [InlineData("a.jpg")]
    [InlineData("a.jpg,1,2")]
    [InlineData("\"a.jpg\",1")]
    public void A_row_of_other_fields_is_refused(string row)
    {
        _directory.File("a.jpg");
        Labels($"file,class_index\n{row}\n");
        AssertRefused("row 2: has", () => Open(2));
    }

    [Fact]
    public void A_row_that_names_an_absent_file_is_refused_up_front()
    {
        _directory.File("a.jpg");
        Labels("file,class_index\na.jpg,0\nb.jpg,1\n");
        AssertRefused("row 3: \"b.jpg\": no such file", () => Open(2));
    }

    [Theory]
    [InlineData("../outside.jpg")]
    [InlineData("sub/../../outside.jpg")]
    [InlineData("/etc/hostname")]
    [InlineData(".")]
    [InlineData("")]
    public void A_path_out_of_the_directory_is_refused(string file)
    {
        Labels($"file,class_index\n{file},0\n");
        Assert.DoesNotContain('\n', Assert.Throws<ShiftAddVitException>(() => Open(2)).Message);
        if (file.Contains("outside")) AssertRefused("lies outside the directory", () => Open(2));
    }

    [Fact]
    public void A_sibling_directory_that_shares_the_name_is_outside()
    {
        var inner = Directory.CreateDirectory(Path.Combine(_directory.Path, "set")).FullName;
        _directory.File("set_b/a.jpg");
        _directory.File("set/labels.csv", "file,class_index\n../set_b/a.jpg,0\n");
        AssertRefused("lies outside", () => LabeledImageSet.Open(inner, 2));
    }

    [Fact]
    public void Labels_without_rows_are_refused()
    {
        Labels("file,class_index\n");
        AssertRefused("has no rows", () => Open(2));
    }

    [Fact]
    public void A_flat_folder_has_no_labels()
    {
        _directory.File("a.jpg");
        AssertRefused("has no labels", () => Open(2));
    }

    [Fact]
    public void Empty_class_folders_are_an_empty_set()
    {
        _directory.File("cat/readme.txt");
        AssertRefused("holds no image", () => Open(1));
    }

    [Fact]
    public void A_missing_directory_and_a_file_are_refused()
    {
        AssertRefused("no such directory", () => LabeledImageSet.Open(Path.Combine(_directory.Path, "none"), 2));
        AssertRefused("is a file", () => LabeledImageSet.Open(_directory.File("a.jpg"), 2));
    }

    [Fact]
    public void Take_is_the_first_and_TakeEvenly_spreads()
    {
        Labels("file,class_index\n" + string.Concat(Enumerable.Range(0, 10).Select(i => $"{i}.jpg,{i}\n")));
        for (var i = 0; i < 10; i++) _directory.File($"{i}.jpg");
        var set = Open(10);
        Assert.Equal([0, 1, 2], set.Take(3).Items.Select(item => item.ClassIndex));
        Assert.Equal([0, 3, 6], set.TakeEvenly(3).Items.Select(item => item.ClassIndex));
        Assert.Equal(10, set.Take(99).Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => set.Take(0));
    }

    LabeledImageSet Open(int classCount) => LabeledImageSet.Open(_directory.Path, classCount);

    void Labels(string content) => _directory.File("labels.csv", content);

    IEnumerable<(string, int)> Relative(LabeledImageSet set) =>
        set.Items.Select(item => (Path.GetRelativePath(_directory.Path, item.Path).Replace('\\', '/'), item.ClassIndex));

    static void AssertRefused(string part, Action action)
    {
        var message = Assert.Throws<ShiftAddVitException>(action).Message;
        Assert.Contains(part, message);
        Assert.DoesNotContain('\n', message);
    }
}
