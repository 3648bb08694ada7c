using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>How sums of four products of bytes come about.</summary>
enum ProductForm
{
    /// <summary>One instruction, exact for all bytes.</summary>
    DotProduct,

    /// <summary>
    /// q times w in pairs that saturate at int16 (VPMADDUBSW): exact for weights up to 64, as those of P4, since 2 * 255 * 64 = 32,640 is
    /// below 32,768.
    /// </summary>
    UnsignedPairs,

    /// <summary>
    /// |q - 128| times w with the sign of q - 128, in the same pairs: exact for weights up to 127, since 2 * 128 * 127 = 32,512 is below 32,768.
    /// </summary>
    SignedPairs,
}

/// <summary>
/// The part of a tile that turns activations and weights into sums. It owns the lowest registers, until the epilogue takes them.
/// </summary>
abstract class ByteProducts(VectorAssembler vectors)
{
    /// <summary>The part for a form.</summary>
    /// <param name="form">What to write.</param>
    /// <param name="vectors">Where to.</param>
    /// <param name="available">Registers that a form may take if it has use for them.</param>
    public static ByteProducts Create(ProductForm form, VectorAssembler vectors, int available) => form switch
    {
        ProductForm.DotProduct => new DotProducts(vectors, int.Min(4, available)),
        ProductForm.UnsignedPairs => new UnsignedPairs(vectors),
        _ => new SignedPairs(vectors),
    };

    /// <summary>The registers that a form can not do without.</summary>
    public static int Fewest(ProductForm form) => form switch { ProductForm.DotProduct => 1, ProductForm.UnsignedPairs => 3, _ => 5 };

    protected VectorAssembler Vectors => vectors;

    /// <summary>Sets constants, before each tile.</summary>
    public virtual void Begin() { }

    /// <summary>Four activations of a row, from memory.</summary>
    public void TakeActivations(MemoryOperand from)
    {
        vectors.Broadcast(NextActivations(), from);
        Prepare();
    }

    /// <summary>Four activations of a row, from a general register.</summary>
    public void TakeActivations(Register from)
    {
        vectors.Broadcast(NextActivations(), from);
        Prepare();
    }

    /// <summary>Adds the products of the activations taken last.</summary>
    public abstract void Add(int accumulators, int weights);

    /// <summary>The register for the next activations.</summary>
    protected virtual int NextActivations() => 0;

    protected virtual void Prepare() { }
}

/// <summary>VPDPBUSD; activations in several registers in turn.</summary>
sealed class DotProducts(VectorAssembler vectors, int registers) : ByteProducts(vectors)
{
    int _activations = -1;

    public override void Add(int accumulators, int weights) => Vectors.Do(Vectors.Isa.DotProduct, accumulators, _activations, weights);

    protected override int NextActivations() => _activations = (_activations + 1) % registers;
}

/// <summary>acc += (q * w as int16 pairs) * 1 as int32 pairs.</summary>
class UnsignedPairs(VectorAssembler vectors) : ByteProducts(vectors)
{
    protected const int Activations = 0, Products = 1, Ones = 2;

    /// <summary>-1 from comparing a register with itself, then its magnitude: int16 ones.</summary>
    public override void Begin()
    {
        Vectors.Do(Code.VEX_Vpcmpeqd_ymm_ymm_ymmm256, Ones, Ones, Ones);
        Vectors.Do(Code.VEX_Vpabsw_ymm_ymmm256, Ones, Ones);
    }

    public override void Add(int accumulators, int weights)
    {
        Vectors.Do(Code.VEX_Vpmaddubsw_ymm_ymm_ymmm256, Products, Activations, weights);
        AddPairs(accumulators);
    }

    protected void AddPairs(int accumulators)
    {
        Vectors.Do(Code.VEX_Vpmaddwd_ymm_ymm_ymmm256, Products, Products, Ones);
        Vectors.Do(Code.VEX_Vpaddd_ymm_ymm_ymmm256, accumulators, accumulators, Products);
    }
}

/// <summary>The same with |x| and w * sign(x), x = q - 128: |x| is at most 128, an unsigned byte.</summary>
sealed class SignedPairs(VectorAssembler vectors) : UnsignedPairs(vectors)
{
    const int Signs = 3, Centre = 4;

    /// <summary>The magnitude of -1 in every byte, shifted to 128: the highest bit, whose flip subtracts 128.</summary>
    public override void Begin()
    {
        base.Begin();
        Vectors.Do(Code.VEX_Vpcmpeqd_ymm_ymm_ymmm256, Centre, Centre, Centre);
        Vectors.Do(Code.VEX_Vpabsb_ymm_ymmm256, Centre, Centre);
        Vectors.Shift(Code.VEX_Vpsllw_ymm_ymm_imm8, Centre, Centre, 7);
    }

    public override void Add(int accumulators, int weights)
    {
        Vectors.Do(Code.VEX_Vpsignb_ymm_ymm_ymmm256, Products, weights, Signs);
        Vectors.Do(Code.VEX_Vpmaddubsw_ymm_ymm_ymmm256, Products, Activations, Products);
        AddPairs(accumulators);
    }

    protected override void Prepare()
    {
        Vectors.Do(Code.VEX_Vpxor_ymm_ymm_ymmm256, Signs, Activations, Centre);
        Vectors.Do(Code.VEX_Vpabsb_ymm_ymmm256, Activations, Signs);
    }
}
