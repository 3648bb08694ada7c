using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Tests.Kernels;

/// <summary>What machines without the pair product instruction run; those with it meet it here only.</summary>
public class IntegerLanesTests
{
    const int Lanes = 16;

    static int[] Pairs(int seed)
    {
        var random = new Random(seed);
        var pairs = new int[Lanes];
        foreach (ref var value in MemoryMarshal.Cast<int, short>(pairs.AsSpan())) value = (short)random.Next(-128, 128);
        return pairs;
    }

    static int Product(int x, int y) => (short)x * (short)y + (x >> 16) * (y >> 16);

    [Fact]
    public void Pair_products_without_the_instruction_are_exact()
    {
        for (var seed = 0; seed < 100; seed++)
        {
            var (x, y) = (Pairs(seed), Pairs(~seed));
            var expected = x.Zip(y, Product).ToArray();
            Assert.Equal(Vector128.Create(expected), IntegerLanes128.ExtendedPairProducts(Vector128.Create(x), Vector128.Create(y)));
            Assert.Equal(Vector256.Create(expected), IntegerLanes256.ExtendedPairProducts(Vector256.Create(x), Vector256.Create(y)));
            Assert.Equal(Vector512.Create(expected), IntegerLanes512.ExtendedPairProducts(Vector512.Create(x), Vector512.Create(y)));
        }
    }
}
