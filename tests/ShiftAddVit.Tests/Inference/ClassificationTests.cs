using CsCheck;
using ShiftAddVit.Inference;

namespace ShiftAddVit.Tests.Inference;

public class ClassificationTests
{
    [Fact]
    public void The_best_come_first_and_of_equals_the_lower_index()
    {
        var top = Classification.Top([1, 3, 2, 3, -1, 3], 5, []);
        Assert.Equal([1, 3, 5, 2, 0], top.Select(c => c.ClassIndex));
        Assert.Equal(["1", "3", "5", "2", "0"], top.Select(c => c.ClassName));
        Assert.Equal([3, 3, 3, 2, 1], top.Select(c => c.Logit));
    }

    [Fact]
    public void Order_and_probabilities_are_those_of_softmax() => Gen.Float[-50, 50].Array[1, 40].Sample(logits =>
    {
        var top = Classification.Top(logits, logits.Length, []);
        Assert.Equal(Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i), top.Select(c => c.ClassIndex));
        Assert.Equal(1, top.Sum(c => (double)c.Probability), 1e-6);
        var sum = logits.Sum(logit => Math.Exp(logit - 50.0));
        Assert.All(top, c => Assert.Equal(Math.Exp(c.Logit - 50.0) / sum, c.Probability, 1e-6));
    });

    [Fact]
    public void Huge_logits_do_not_overflow()
    {
        var top = Classification.Top([1e30f, -1e30f, 1e30f], 3, ["a", "b", "c"]);
        Assert.Equal([("a", 0.5f), ("c", 0.5f), ("b", 0f)], top.Select(c => (c.ClassName, c.Probability)));
    }

    [Fact]
    public void No_more_classes_are_returned_than_there_are()
    {
        Assert.Equal(2, Classification.Top([1, 2], 5, []).Length);
        Assert.Single(Classification.Top([1, 2], 1, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Classification.Top([1, 2], 0, []));
        Assert.Throws<ArgumentException>(() => Classification.Top([], 1, []));
    }
}
