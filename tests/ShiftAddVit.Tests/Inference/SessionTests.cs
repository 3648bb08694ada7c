using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Inference;

public class SessionTests
{
    const int Batch = 5;

    /// <summary>37 tokens: five images of them do not fill whole parts of 24 rows, so that images share parts.</summary>
    static readonly VitArchitecture Architecture = TinyModels.Architecture with { ImageSize = 48 };
    static readonly VitArchitecture Wide = TinyModels.Wide with { ImageSize = 48 };
    static readonly int ImageLength = VitArchitecture.Channels * Architecture.ImageSize * Architecture.ImageSize;
    static readonly float[] Images = TinyModels.Images(Architecture, Batch);

    public static TheoryData<WeightFormat> Formats => [.. Enum.GetValues<WeightFormat>()];

    public static TheoryData<WeightFormat, bool> FormatsAndWidths => [.. Formats.SelectMany(row => (bool[])[false, true], (row, wide) => (row.Data, wide))];

    static CompiledModel Model(WeightFormat format = WeightFormat.P4, bool distilled = false, bool wide = false) =>
        CompiledModel.Compile(LinearPass.Apply(TinyModels.Create((wide ? Wide : Architecture) with { DistillationToken = distilled }), format).Graph);

    static ReadOnlySpan<float> Image(int index) => Images.AsSpan(index * ImageLength, ImageLength);

    static float[] Run(CompiledModel model, ReadOnlySpan<float> images, int batch, int threads = 1, int maxBatch = Batch)
    {
        using var session = model.CreateSession(new() { MaxBatch = maxBatch, Threads = threads });
        return session.Run(images, batch);
    }

    [Theory, MemberData(nameof(FormatsAndWidths))]
    public void The_output_of_an_image_depends_on_nothing_but_the_image(WeightFormat format, bool wide)
    {
        using var model = Model(format, distilled: format == WeightFormat.S8, wide);
        var alone = Enumerable.Range(0, Batch).SelectMany(i => Run(model, Image(i), 1, maxBatch: 1)).ToArray();
        Assert.Equal(Batch, alone.Chunk(Architecture.Classes).Select(logits => logits[0]).Distinct().Count());
        for (var threads = 1; threads <= 4; threads++) Assert.Equal(alone, Run(model, Images, Batch, threads));
        // The same image in every place of a batch.
        foreach (var place in new[] { 0, 2, 4 })
        {
            var mates = TinyModels.Images(Architecture, Batch, seed: 9);
            Image(1).CopyTo(mates.AsSpan(place * ImageLength));
            var logits = Run(model, mates, Batch, threads: 3).AsSpan(place * Architecture.Classes, Architecture.Classes);
            Assert.Equal(alone.AsSpan(Architecture.Classes, Architecture.Classes), logits);
        }
    }

    [Fact]
    public void A_session_remembers_nothing_between_runs()
    {
        using var model = Model();
        using var session = model.CreateSession(new() { MaxBatch = Batch, Threads = 2 });
        var first = session.Run(Images, Batch);
        session.Run(Image(3), 1);
        session.Run(TinyModels.Images(Architecture, 2, seed: 7), 2);
        Assert.Equal(first, session.Run(Images, Batch));
        Assert.Equal(first[..Architecture.Classes], session.Run(Image(0), 1));
    }

    [Fact]
    public void Sessions_of_one_model_run_at_the_same_time()
    {
        using var model = Model();
        var expected = Run(model, Images, Batch);
        var results = new float[4][];
        // Not 1 + i % 2: emulated as Arm64 code (QEMU 7.2), that is 0 for odd i.
        Parallel.For(0, results.Length, i => results[i] = Run(model, Images, Batch, threads: 1 + (i & 1)));
        Assert.All(results, result => Assert.Equal(expected, result));
    }

    [Fact]
    public void Memory_grows_with_the_batch_and_the_threads()
    {
        using var model = Model();
        long Bytes(int batch, int threads)
        {
            using var session = model.CreateSession(new() { MaxBatch = batch, Threads = threads });
            Assert.Equal(batch, session.MaxBatch);
            return session.ArenaBytes;
        }
        // Up to many images the rows of a block grow as well.
        var perImage = Bytes(RowChain.Many + 1, 1) - Bytes(RowChain.Many, 1);
        Assert.True(perImage > 0 && Bytes(1, 2) > Bytes(1, 1) && Bytes(2, 1) > Bytes(1, 1));
        // Regions start on multiples of 64 bytes.
        Assert.InRange(Bytes(RowChain.Many + 8, 1) - Bytes(RowChain.Many, 1), 8 * (perImage - 256), 8 * (perImage + 256));
    }

    [Fact]
    public void Wrong_lengths_and_batches_are_refused()
    {
        using var model = Model();
        using var session = model.CreateSession(new() { MaxBatch = 2 });
        var classes = Architecture.Classes;
        foreach (var batch in new[] { 0, -1, 3, int.MaxValue, int.MinValue })
        {
            Assert.Throws<ArgumentOutOfRangeException>("batch", () => session.Run(Images, batch));
            Assert.Throws<ArgumentOutOfRangeException>("batch", () => session.Run(Images, batch, new float[classes]));
        }
        Assert.Throws<ArgumentException>("images", () => session.Run(Images.AsSpan(0, ImageLength - 1), 1));
        Assert.Throws<ArgumentException>("images", () => session.Run(Images.AsSpan(0, ImageLength), 2));
        Assert.Throws<ArgumentException>("images", () => session.Run([], 1));
        Assert.Throws<ArgumentException>("logits", () => session.Run(Image(0), 1, new float[classes - 1]));
        Assert.Throws<ArgumentException>("logits", () => session.Run(Image(0), 1, new float[2 * classes]));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.CreateSession(new() { MaxBatch = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.CreateSession(new() { Threads = 0 }));
    }

    [Theory]
    [InlineData(float.NaN), InlineData(float.PositiveInfinity), InlineData(float.NegativeInfinity)]
    public void Inputs_must_be_finite_wherever_they_are(float value)
    {
        using var model = Model();
        using var session = model.CreateSession();
        foreach (var place in new[] { 0, 1, 17, ImageLength / 2, ImageLength - 1 })
        {
            var image = Image(0).ToArray();
            image[place] = value;
            Assert.Throws<ArgumentException>("images", () => session.Run(image, 1));
        }
    }

    [Fact]
    public void Extreme_finite_inputs_give_finite_logits()
    {
        using var model = Model(WeightFormat.P4P4);
        foreach (var value in new[] { 0f, 1e-38f, 1e4f })
            Assert.All(Run(model, Enumerable.Repeat(value, ImageLength).ToArray(), 1), logit => Assert.True(float.IsFinite(logit)));
    }

    [Theory]
    [InlineData(false, false), InlineData(true, false), InlineData(false, true), InlineData(true, true)]
    public void What_the_heads_do_not_read_is_left_out_without_a_trace(bool distilled, bool wide)
    {
        // An observer sees the whole last block, so that nothing of it is left out.
        using var model = Model(distilled: distilled, wide: wide);
        using var whole = model.CreateSession(new() { MaxBatch = Batch, Observer = (in _) => { } });
        using var pruned = model.CreateSession(new() { MaxBatch = Batch, Threads = 2 });
        Assert.Equal(whole.Run(Images, Batch), pruned.Run(Images, Batch));
    }

    [Fact]
    public void A_session_that_is_running_refuses_to_run()
    {
        using var model = Model();
        Session? session = null;
        Exception? refusal = null;
        var asked = false;
        session = model.CreateSession(new()
        {
            Observer = (in _) =>
            {
                if (asked) return;
                asked = true;
                refusal = Record.Exception(() => session!.Run(Image(1), 1));
            },
        });
        using (session)
        {
            var logits = session.Run(Image(0), 1);
            Assert.IsType<InvalidOperationException>(refusal);
            Assert.Equal(Run(model, Image(0), 1), logits);
        }
    }

    [Fact]
    public void A_session_survives_an_observer_that_throws()
    {
        using var model = Model();
        var throws = true;
        using var session = model.CreateSession(new()
        {
            Observer = (in _) => { if (throws) throw new FormatException(); },
        });
        Assert.Throws<FormatException>(() => session.Run(Image(0), 1));
        throws = false;
        Assert.Equal(Run(model, Image(0), 1), session.Run(Image(0), 1));
    }

    [Fact]
    public void Nothing_runs_after_it_was_disposed()
    {
        var model = Model();
        var session = model.CreateSession();
        session.Dispose();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Run(Image(0), 1));
        using var orphan = model.CreateSession();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => orphan.Run(Image(0), 1));
    }

    [Theory, MemberData(nameof(Formats))]
    public void Logits_that_overflow_are_refused_in_one_line_that_names_the_file(WeightFormat format)
    {
        var graph = TinyModels.Create(Architecture);
        var huge = graph.Head.Weight.ToFloat32().Values.ToArray().Select(w => MathF.CopySign(3e38f, w)).ToArray();
        var head = graph.Head with { Weight = new DenseWeight(new(new(Architecture.Classes, Architecture.Width), huge)) };
        using var model = CompiledModel.Compile(LinearPass.Apply(graph with { Head = head }, format).Graph);
        using var session = model.CreateSession();
        var logits = new float[Architecture.Classes];
        var error = Assert.Throws<ShiftAddVitException>(() => session.Run(Image(0), 1, logits));
        Assert.Equal("tiny.safetensors: the model's output is not finite; its weights overflow float32", error.Message);
        Assert.All(logits, logit => Assert.Equal(0, logit));
    }

    [Fact]
    public void A_session_that_is_running_is_not_disposed()
    {
        using var model = Model();
        Session? session = null;
        var refusals = new List<Exception?>();
        session = model.CreateSession(new() { Observer = (in _) => refusals.Add(Record.Exception(session!.Dispose)) });
        var logits = session.Run(Image(0), 1);
        Assert.All(refusals, refusal => Assert.IsType<InvalidOperationException>(refusal));
        Assert.Equal(Run(model, Image(0), 1), logits);
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Run(Image(0), 1));
    }
}
