namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>
/// Interprets the opcodes that Python's pickle writes in protocols 2 to 5 (PEP 307, 3154, 574; Lib/pickletools.py) as plain data.
/// No opcode runs code: a call yields what <see cref="Global"/> says stands for it. It does not recurse, and stack, memo, nesting
/// and the number of values are bounded, so a hostile file costs bounded memory.
/// </summary>
ref struct Unpickler
{
    const int MaxStack = 1 << 20, MaxMemo = 1 << 20, MaxNesting = 256;

    /// <summary>65,536 tensors take about 20 values each; the rest is for optimizer states and logs.</summary>
    const int MaxValues = 1 << 21;

    PickleInput _input;
    int _values;
    readonly List<object> _stack = [];
    readonly Stack<int> _marks = [];
    readonly Dictionary<uint, object> _memo = [];

    Unpickler(ReadOnlySpan<byte> pickle) => _input = new(pickle);

    /// <summary>The value that a pickle describes.</summary>
    /// <exception cref="InvalidDataException">It is malformed, exceeds a limit, or names a global that is not known.</exception>
    public static object Load(ReadOnlySpan<byte> pickle)
    {
        var unpickler = new Unpickler(pickle);
        unpickler.RequireProtocol();
        for (var op = unpickler._input.Byte(); op != (byte)'.'; op = unpickler._input.Byte())
        {
            if (unpickler.Literal(op) is { } value) unpickler.Push(value);
            else if (!unpickler.Fill(op) && !unpickler.Remember(op) && !unpickler.Call(op))
                throw new InvalidDataException($"its pickle has opcode 0x{op:x2}, which torch.save does not write");
        }
        return unpickler.Pop();
    }

    void RequireProtocol()
    {
        if (_input.Byte() != 0x80 || _input.Byte() is < 2 or > 5)
            throw new InvalidDataException("its data.pkl is not a pickle of protocol 2 to 5");
    }

    /// <summary>Opcodes that push a value of their own; null for all others.</summary>
    object? Literal(byte op) => op switch
    {
        (byte)'N' or 0x88 or 0x89 => Inert.Instance,
        (byte)'J' => (long)_input.Int32(),
        (byte)'K' => (long)_input.Byte(),
        (byte)'M' => (long)_input.UInt16(),
        0x8a => _input.Integer(_input.Byte()),
        0x8b => _input.Integer(_input.UInt32()),
        (byte)'G' => Skip(8),
        0x8c => _input.Text(_input.Byte()),
        (byte)'X' => _input.Text(_input.UInt32()),
        0x8d => _input.Text(_input.UInt64()),
        (byte)'C' => Skip(_input.Byte()),
        (byte)'B' => Skip(_input.UInt32()),
        0x8e or 0x96 => Skip(_input.UInt64()),
        (byte)')' or (byte)']' or 0x8f => new List<object>(),
        (byte)'}' => new PickleDict(),
        (byte)'c' => Global.Find(_input.Line(), _input.Line()),
        _ => null,
    };

    /// <summary>Opcodes that build tuples and fill containers.</summary>
    bool Fill(byte op)
    {
        switch (op)
        {
            case (byte)'(': Mark(); break;
            case (byte)'t' or 0x91: Push(PopToMark()); break;
            case 0x85 or 0x86 or 0x87: Push(PopMany(op - 0x84)); break;
            case (byte)'a': AddTo(PopMany(1)); break;
            case (byte)'e' or 0x90: AddTo(PopToMark()); break;
            case (byte)'s': SetIn(PopMany(2)); break;
            case (byte)'u': SetIn(PopToMark()); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Opcodes of the memo, of framing, and those that drop values.</summary>
    bool Remember(byte op)
    {
        switch (op)
        {
            case (byte)'q': Memoize(_input.Byte()); break;
            case (byte)'r': Memoize(_input.UInt32()); break;
            case 0x94: Memoize((uint)_memo.Count); break;
            case (byte)'h': Push(Recall(_input.Byte())); break;
            case (byte)'j': Push(Recall(_input.UInt32())); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case 0x95: _input.Bytes(8); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Opcodes by which Python would run something.</summary>
    bool Call(byte op)
    {
        switch (op)
        {
            case (byte)'R' or 0x81:
                var call = PopMany(2);
                Push(call is [Global callable, List<object> arguments]
                    ? callable.Call(arguments)
                    : throw new InvalidDataException("its pickle calls something that is not a known class or function"));
                break;
            case 0x93:
                Push(PopMany(2) is [string module, string name]
                    ? Global.Find(module, name)
                    : throw new InvalidDataException("its pickle names a global by something other than text"));
                break;
            // The state of an object: for a state dict the versions of its modules, which no tensor needs.
            case (byte)'b': Pop(); break;
            case (byte)'Q': Push(TorchStorage.FromId(Pop())); break;
            default: return false;
        }
        return true;
    }

    void AddTo(List<object> items)
    {
        if (Top() is not List<object> list) throw new InvalidDataException("its pickle appends to something that is not a list");
        list.AddRange(items);
    }

    void SetIn(List<object> items)
    {
        if (Top() is not PickleDict dictionary || items.Count % 2 != 0)
            throw new InvalidDataException("its pickle sets items of something that is not a dictionary");
        for (var i = 0; i < items.Count; i += 2) dictionary.Items.Add((items[i], items[i + 1]));
    }

    void Mark()
    {
        if (_marks.Count == MaxNesting) throw new InvalidDataException($"its pickle nests deeper than {MaxNesting} levels");
        _marks.Push(_stack.Count);
    }

    void Memoize(uint index)
    {
        _memo[index] = Top();
        if (_memo.Count > MaxMemo) throw new InvalidDataException($"its pickle remembers more than {MaxMemo:N0} values");
    }

    readonly object Recall(uint index) => _memo.TryGetValue(index, out var value)
        ? value
        : throw new InvalidDataException("its pickle recalls a value that it never had");

    void Push(object value)
    {
        if (_stack.Count == MaxStack || _values == MaxValues)
            throw new InvalidDataException($"its pickle has more than {MaxValues:N0} values, or {MaxStack:N0} at once");
        _values++;
        _stack.Add(value);
    }

    object Pop() => PopMany(1)[0];

    readonly object Top() => _stack.Count > Floor ? _stack[^1] : throw Underflow();

    List<object> PopMany(int count) => _stack.Count - Floor >= count ? PopFrom(_stack.Count - count) : throw Underflow();

    List<object> PopToMark() => _marks.TryPop(out var mark) ? PopFrom(mark) : throw Underflow();

    readonly List<object> PopFrom(int start)
    {
        var values = _stack.GetRange(start, _stack.Count - start);
        _stack.RemoveRange(start, values.Count);
        return values;
    }

    /// <summary>Values below the last mark belong to a container that is not finished.</summary>
    readonly int Floor => _marks.TryPeek(out var mark) ? mark : 0;

    static InvalidDataException Underflow() => new("its pickle takes more values than it has");

    Inert Skip(ulong bytes)
    {
        _input.Bytes(bytes);
        return Inert.Instance;
    }
}
