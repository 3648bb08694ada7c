using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace ShiftAddVit.Kernels;

/// <summary>The processor that numbers were measured on.</summary>
public static class Processor
{
    const int BrandLeaf = unchecked((int)0x80000002);
    const int BrandLeaves = 3;

    /// <summary>Brand, family and model as the processor reports them, e.g. <c>AMD EPYC (family 25, model 17)</c>; elsewhere the architecture.</summary>
    public static string Name => X86Base.IsSupported ? $"{Brand()} {Version()}" : $"{RuntimeInformation.ProcessArchitecture}";

    static string Brand()
    {
        var bytes = new byte[BrandLeaves * 16];
        for (var i = 0; i < BrandLeaves; i++)
        {
            var (eax, ebx, ecx, edx) = X86Base.CpuId(BrandLeaf + i, 0);
            MemoryMarshal.Cast<int, byte>([eax, ebx, ecx, edx]).CopyTo(bytes.AsSpan(i * 16));
        }
        return Encoding.ASCII.GetString(bytes).TrimEnd('\0', ' ').Trim();
    }

    /// <summary>Family and model with their extensions, as the vendors' manuals compose them (CPUID leaf 1).</summary>
    static string Version()
    {
        var signature = X86Base.CpuId(1, 0).Eax;
        var (family, model) = ((signature >> 8) & 15, (signature >> 4) & 15);
        var fullFamily = family == 15 ? family + ((signature >> 20) & 255) : family;
        var fullModel = family is 6 or 15 ? model + ((signature >> 12) & 0xF0) : model;
        return $"(family {fullFamily}, model {fullModel})";
    }
}
