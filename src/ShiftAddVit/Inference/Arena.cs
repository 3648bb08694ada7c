using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>A region of a session's arena, known before the arena is allocated.</summary>
/// <param name="Offset">Bytes from the start of the arena; a multiple of the alignment.</param>
readonly record struct Region(long Offset);

/// <summary>Plans the memory of a session as regions, then holds all of it in one block.</summary>
sealed unsafe class Arena : IDisposable
{
    long _planned;
    AlignedBuffer? _memory;

    /// <summary>Bytes of the whole arena.</summary>
    public long ByteLength => _planned;

    /// <summary>Reserves room for <paramref name="count"/> elements of <typeparamref name="T"/>.</summary>
    public Region Plan<T>(long count) where T : unmanaged
    {
        if (_memory is not null) throw new InvalidOperationException("the arena is allocated already");
        var region = new Region(_planned);
        _planned += (count * sizeof(T) + AlignedBuffer.Alignment - 1) & -AlignedBuffer.Alignment;
        return region;
    }

    /// <summary>Allocates all that was planned, zeroed.</summary>
    public void Allocate() => _memory = new(_planned);

    /// <summary>The first element of a region.</summary>
    public T* Pointer<T>(Region region) where T : unmanaged => (T*)(_memory!.Pointer + region.Offset);

    public void Dispose() => _memory?.Dispose();
}
