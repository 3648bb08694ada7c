using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Tensors;

public class ShapeTests
{
    [Fact]
    public void A_scalar_has_one_element() => Assert.Equal(1, new Shape().ElementCount);

    [Fact]
    public void Extents_compare_by_value() => Assert.Equal(new Shape(2, 3), new Shape(2, 3));

    [Fact]
    public void More_than_2_31_elements_are_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(65536, 65536));

    [Theory]
    [InlineData(0, int.MaxValue, int.MaxValue)]
    [InlineData(int.MaxValue, int.MaxValue, 0)]
    [InlineData(int.MaxValue, 0, int.MaxValue)]
    public void No_elements_are_legal_in_any_order_of_axes(int a, int b, int c)
    {
        var shape = new Shape(a, b, c, int.MaxValue, int.MaxValue);
        Assert.Equal((0, 5), (shape.ElementCount, shape.Rank));
    }

    [Theory]
    [InlineData(int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue)]
    [InlineData(1 << 16, 1 << 16, 1 << 16, 1 << 16)]
    public void A_product_that_overflows_is_refused(int a, int b, int c, int d) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(a, b, c, d));

    [Fact]
    public void A_negative_extent_is_refused_beside_a_zero() => Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(0, -1));
}
