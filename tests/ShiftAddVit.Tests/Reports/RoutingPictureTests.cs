using System.Xml.Linq;
using ShiftAddVit.Inference;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Tests.Reports;

public class RoutingPictureTests
{
    static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    static TokenRouting[] Routings()
    {
        var graph = MixtureModels.Create(MixtureModels.Scopes[0], MixtureModels.Experts[2]);
        var log = new RoutingLog(graph.Mixtures().ToDictionary(mixture => mixture.Name, mixture => mixture.ExpertNames));
        using var model = CompiledModel.Compile(graph);
        using var session = model.CreateSession(new() { Observer = log.Observe });
        session.Run(TinyModels.Images(graph.Architecture, 1), 1);
        var routings = log.Take();
        Assert.Empty(log.Take());
        return [.. routings];
    }

    [Fact]
    public void Every_patch_of_every_layer_is_tinted_once_by_its_expert()
    {
        var routings = Routings();
        Assert.Equal(8, routings.Length);
        Assert.All(routings, routing => Assert.Equal(1, Enumerable.Range(0, 3).Sum(routing.Share), 12));
        var picture = XDocument.Parse(RoutingPicture.Svg("a <cat> & \u0001.png", "class 3", TinyModels.Architecture, [1, 2, 3], routings));
        var panels = picture.Descendants(Svg + "g").ToArray();
        Assert.Equal(routings.Length, panels.Length);
        var colours = new[] { "#0072B2", "#E69F00", "#009E73" };
        foreach (var (panel, routing) in panels.Zip(routings))
        {
            var seen = new string[9];
            foreach (var run in panel.Elements(Svg + "rect"))
                for (var x = 0; x < (int)run.Attribute("width")!; x++)
                    seen[(int)run.Attribute("y")! * 3 + (int)run.Attribute("x")! + x] = (string)run.Attribute("fill")!;
            Assert.Equal(routing.Experts.Skip(1).Select(expert => colours[expert]), seen);
        }
        var texts = picture.Descendants(Svg + "text").Select(text => text.Value).ToArray();
        Assert.Contains("a <cat> & ?.png", texts);
        Assert.Contains("expert 1: S8", texts);
        Assert.Contains("block 1", texts);
        Assert.Single(picture.Descendants(Svg + "image"));
    }
}
