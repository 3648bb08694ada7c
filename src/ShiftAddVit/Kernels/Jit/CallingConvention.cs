using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Begins and ends generated functions of one pointer argument, which both leave in rdi. System V passes it there and preserves none of
/// the registers used. Windows passes it in rcx and preserves rdi, rsi and the low halves of xmm6 to xmm15.
/// </summary>
static class CallingConvention
{
    const int FirstSaved = 6, Saved = 10, SaveBytes = 16;

    static readonly AssemblerRegisterXMM[] Preserved = [xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];

    /// <summary>A function of vector instructions as bytes.</summary>
    /// <param name="code">Where it is written.</param>
    /// <param name="body">Writes what it does.</param>
    /// <param name="behind">Writes constants behind it.</param>
    public static byte[] Function(Assembler code, Action body, Action? behind = null)
    {
        Enter(code, OperatingSystem.IsWindows());
        body();
        code.vzeroupper();
        Leave(code, OperatingSystem.IsWindows());
        behind?.Invoke();
        using var bytes = new MemoryStream();
        code.Assemble(new StreamCodeWriter(bytes), 0);
        return bytes.ToArray();
    }

    /// <summary>For a named system: tests decode the Windows form elsewhere.</summary>
    public static void Enter(Assembler code, bool windows)
    {
        if (!windows) return;
        code.push(rsi);
        code.push(rdi);
        code.sub(rsp, Saved * SaveBytes);
        for (var i = 0; i < Saved; i++) code.vmovups(__xmmword_ptr[rsp + i * SaveBytes], Preserved[i]);
        code.mov(rdi, rcx);
    }

    public static void Leave(Assembler code, bool windows)
    {
        if (windows)
        {
            for (var i = 0; i < Saved; i++) code.vmovups(Preserved[i], __xmmword_ptr[rsp + i * SaveBytes]);
            code.add(rsp, Saved * SaveBytes);
            code.pop(rdi);
            code.pop(rsi);
        }
        code.ret();
    }
}
