using PublicApiGenerator;

namespace ShiftAddVit.Tests.Repository;

/// <summary>Every change of the public surface shows in a diff.</summary>
public class PublicApiTests
{
    [Fact]
    public void The_public_surface_is_the_committed_one() => RepositoryFiles.AssertUpToDate(
        "tests/ShiftAddVit.Tests/Repository/ShiftAddVit.api.txt",
        typeof(ShiftAddVitException).Assembly.GeneratePublicApi(new() { IncludeAssemblyAttributes = false }).ReplaceLineEndings("\n") + "\n");
}
