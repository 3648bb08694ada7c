using System.Collections.Concurrent;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Generated functions by key; each is generated once, when it is first asked for, outside any lock that runs hold.</summary>
/// <typeparam name="TKey">What a function is made for; its text names the dump.</typeparam>
/// <param name="generate">Writes the code of a key.</param>
sealed class CodeCache<TKey>(Func<TKey, byte[]> generate) where TKey : notnull
{
    readonly ConcurrentDictionary<TKey, Lazy<nint>> _functions = new();

    /// <summary>The address of the function of a key.</summary>
    public nint Get(TKey key)
    {
        // The common case first: it makes no closure.
        if (!_functions.TryGetValue(key, out var function)) function = _functions.GetOrAdd(key, it => new(() => Place(it, generate(it))));
        return function.Value;
    }

    static nint Place(TKey key, byte[] code)
    {
        if (Knobs.DumpCode is { } folder) File.WriteAllBytes(Path.Combine(folder, $"{key}.bin"), code);
        return ExecutableMemory.Place(code);
    }
}
