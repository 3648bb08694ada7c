using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Tensors;

public unsafe class AlignedBufferTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(100_000)]
    public void A_buffer_is_aligned_and_starts_as_0(long length)
    {
        using var buffer = new AlignedBuffer(length);
        Assert.Equal(0, (nint)buffer.Pointer % AlignedBuffer.Alignment);
        Assert.Equal(length, buffer.ByteLength);
        Assert.False(buffer.AsSpan<byte>().ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void Elements_are_those_that_fit_whole()
    {
        using var buffer = new AlignedBuffer(11);
        Assert.Equal(2, buffer.AsSpan<float>().Length);
    }

    [Fact]
    public void A_disposed_buffer_refuses_access()
    {
        var buffer = new AlignedBuffer(8);
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.AsSpan<byte>().Length);
    }

    [Fact]
    public void A_negative_length_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new AlignedBuffer(-1));
}
