using System.Collections.Concurrent;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Generated functions by key; each is generated once, when it is first asked for, outside any lock that runs hold.</summary>
/// <typeparam name="TKey">What a function is made for.</typeparam>
/// <param name="owner">What the functions belong to; with the text of a key it names a dump.</param>
/// <param name="generate">Writes the code of a key.</param>
sealed class CodeCache<TKey>(string owner, Func<TKey, byte[]> generate) where TKey : struct
{
    readonly ConcurrentDictionary<TKey, Function> _functions = new();
    readonly Lock _generating = new();

    /// <summary>Functions by the lowest bits of their keys' hashes, the last asked for: a look-up costs a few cycles, which short products notice.</summary>
    readonly Function?[] _recent = new Function?[64];

    /// <summary>The address of the function of a key.</summary>
    public nint Get(TKey key)
    {
        ref var recent = ref _recent[(uint)key.GetHashCode() % (uint)_recent.Length];
        if (recent is { } hit && EqualityComparer<TKey>.Default.Equals(hit.Key, key)) return hit.Address;
        var function = _functions.TryGetValue(key, out var known) ? known : Add(key);
        Volatile.Write(ref recent, function);
        return function.Address;
    }

    Function Add(TKey key)
    {
        lock (_generating) return _functions.TryGetValue(key, out var function) ? function : _functions[key] = new(key, Place(key));
    }

    nint Place(TKey key)
    {
        var code = generate(key);
        if (Knobs.DumpCode is { } folder) File.WriteAllBytes(Path.Combine(folder, $"{owner}_{key}.bin"), code);
        return ExecutableMemory.Place(code);
    }

    sealed record Function(TKey Key, nint Address);
}
