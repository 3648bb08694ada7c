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
}
