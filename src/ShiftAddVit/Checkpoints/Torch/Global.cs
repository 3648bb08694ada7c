using System.Collections.Frozen;

namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>
/// A class or function that a pickle may name. The list is closed and none of them is code: each says which value stands for the
/// result of calling it.
/// </summary>
sealed class Global
{
    readonly Func<List<object>, object> _call;

    Global(Func<List<object>, object> call, ElementType? storage = null) => (_call, Storage) = (call, storage);

    /// <summary>The element type, if this is a storage class.</summary>
    public ElementType? Storage { get; }

    static FrozenDictionary<string, Global> Known { get; } = new Dictionary<string, Global>
    {
        ["collections.OrderedDict"] = new(NewDictionary),
        ["torch._utils._rebuild_tensor_v2"] = new(TorchTensor.Rebuild),
        ["torch._utils._rebuild_parameter"] = new(Parameter),
        ["torch._utils._rebuild_parameter_with_state"] = new(Parameter),
        ["torch.Size"] = new(Ignored),
        ["argparse.Namespace"] = new(Ignored),
        ["numpy.core.multiarray.scalar"] = new(Ignored),
        ["numpy._core.multiarray.scalar"] = new(Ignored),
        ["numpy.dtype"] = new(Ignored),
        ["_codecs.encode"] = new(Ignored),
        ["__builtin__.set"] = new(Ignored),
        ["builtins.set"] = new(Ignored),
    }.ToFrozenDictionary();

    /// <summary>Looks a global up.</summary>
    /// <exception cref="InvalidDataException">It is not on the list.</exception>
    public static Global Find(string module, string name)
    {
        var full = $"{module}.{name}";
        if (Known.TryGetValue(full, out var global)) return global;
        if (ElementTypes.FromTorch(full) is { } type) return new(NotCallable, type);
        throw new InvalidDataException(
            $"its pickle names {ErrorText.Quote(full)}, which is refused: only tensors and plain containers are read");
    }

    /// <summary>The value that stands for the result of a call.</summary>
    public object Call(List<object> arguments) => _call(arguments);

    static Inert Ignored(List<object> arguments) => Inert.Instance;

    static PickleDict NewDictionary(List<object> arguments) => arguments.Count == 0
        ? new PickleDict()
        : throw new InvalidDataException("its pickle creates an OrderedDict from arguments");

    static TorchTensor Parameter(List<object> arguments) => arguments is [TorchTensor tensor, ..]
        ? tensor
        : throw new InvalidDataException("its pickle creates a parameter from something other than a tensor");

    static object NotCallable(List<object> arguments) => throw new InvalidDataException("its pickle creates a storage outside of the file");
}
