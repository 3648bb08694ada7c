using System.Collections.Immutable;
using System.Globalization;
using System.Security;
using System.Text;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reports;

/// <summary>
/// One SVG that shows an image and, for each mixture, which expert each of its patches went to: a row a block, a panel a layer. Nothing is
/// loaded from elsewhere; the image is in it once. Colours are those of Okabe and Ito, which colour-blind readers tell apart.
/// </summary>
public static class RoutingPicture
{
    const int Panel = 132, Gap = 14, Caption = 20, Margin = 24, Token = 9, RowLabel = 62, Input = 196, Header = 44;

    static readonly ImmutableArray<string> Colours = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"];

    /// <summary>Draws it.</summary>
    /// <param name="title">What the image is called.</param>
    /// <param name="subtitle">A line beneath, e.g. the best class.</param>
    /// <param name="architecture">The model's.</param>
    /// <param name="png">The image that the model saw, as a PNG file.</param>
    /// <param name="routings">One for each mixture, at least one, in the order of the forward pass.</param>
    public static string Svg(string title, string subtitle, VitArchitecture architecture, ReadOnlySpan<byte> png, IReadOnlyList<TokenRouting> routings)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(routings);
        TokenRouting[][] rows = [.. routings.GroupBy(BlockOf).Select(block => block.ToArray())];
        var formats = routings[0].Formats;
        var columns = rows.Max(row => row.Length);
        var width = Math.Max(2 * Margin + RowLabel + columns * (Panel + Token + Gap + 4) - Gap, 2 * Margin + Input + 420);
        var top = Margin + Header + Input + 32;
        var height = top + rows.Length * (Panel + Caption + Gap) + Margin - Gap;
        var svg = new StringBuilder();
        Begin(svg, width, height, png);
        Head(svg, title, subtitle, architecture, routings, formats);
        for (var row = 0; row < rows.Length; row++)
        {
            var y = top + row * (Panel + Caption + Gap);
            Text(svg, Margin, y + Panel / 2 + 4, BlockOf(rows[row][0]), "label");
            for (var column = 0; column < rows[row].Length; column++)
                Draw(svg, Margin + RowLabel + column * (Panel + Token + Gap + 4), y, architecture, rows[row][column]);
        }
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary><c>blocks.3.mlp.fc1</c>: block 3.</summary>
    static string BlockOf(TokenRouting routing) => routing.Layer.Split('.') is ["blocks", var number, ..] ? $"block {number}" : routing.Layer;

    static void Begin(StringBuilder svg, int width, int height, ReadOnlySpan<byte> png) => svg.Append(CultureInfo.InvariantCulture, $$"""
        <svg xmlns="http://www.w3.org/2000/svg" width="{{width}}" height="{{height}}" viewBox="0 0 {{width}} {{height}}">
        <style>text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#222}.title{font-size:18px;font-weight:600}.sub{font-size:13px;fill:#555}.label{font-size:13px;font-weight:600}.caption{font-size:11px}</style>
        <defs><image id="input" width="100" height="100" preserveAspectRatio="none" href="data:image/png;base64,{{Convert.ToBase64String(png)}}"/><filter id="grey"><feColorMatrix type="saturate" values="0.15"/></filter></defs>
        <rect width="{{width}}" height="{{height}}" fill="#fff"/>

        """);

    /// <summary>Title, image, legend, and the shares of all layers together.</summary>
    static void Head(
        StringBuilder svg, string title, string subtitle, VitArchitecture architecture, IReadOnlyList<TokenRouting> routings,
        ImmutableArray<string> formats)
    {
        Text(svg, Margin, Margin + 14, title, "title");
        Text(svg, Margin, Margin + 33, subtitle, "sub");
        Image(svg, Margin, Margin + Header, Input, faded: false);
        var (x, y) = (Margin + Input + 28, Margin + Header + 14);
        Text(svg, x, y, "Which expert each patch went to", "label");
        for (var e = 0; e < formats.Length; e++)
        {
            y += 28;
            Square(svg, x, y - 13, 17, Colour(e), 1);
            Text(svg, x + 27, y, $"expert {e}: {formats[e]}", "sub");
            Text(svg, x + 200, y, FormattableString.Invariant($"{100 * routings.Average(routing => routing.Share(e)):0.0} % of the tokens"), "sub");
        }
        var tokens = architecture.DistillationToken
            ? "squares left of a grid are the class and the distillation token." : "square left of a grid is the class token.";
        Text(svg, x, y + 34, $"The small {tokens}", "sub");
        Text(svg, x, y + 54, $"Beneath it: the shares of {string.Join(" | ", formats)}.", "sub");
    }

    static void Draw(StringBuilder svg, int x, int y, VitArchitecture architecture, TokenRouting routing)
    {
        var (side, prefix) = (architecture.ImageSize / architecture.PatchSize, architecture.PrefixTokens);
        for (var i = 0; i < prefix; i++) Square(svg, x, y + i * (Token + 3), Token, Colour(routing.Experts[i]), 1);
        Image(svg, x + Token + 4, y, Panel, faded: true);
        svg.Append(
            CultureInfo.InvariantCulture,
            $"<g transform=\"translate({x + Token + 4} {y}) scale({(double)Panel / side:0.#####})\" fill-opacity=\"0.62\" shape-rendering=\"crispEdges\">\n");
        for (var row = 0; row < side; row++) Runs(svg, routing.Experts.AsSpan(prefix + row * side, side), row);
        svg.Append("</g>\n");
        var shares = string.Join(" | ", routing.Formats.Select((_, e) => FormattableString.Invariant($"{100 * routing.Share(e):0}%")));
        Text(svg, x + Token + 4, y + Panel + 14, $"{Short(routing.Layer)}: {shares}", "caption");
    }

    /// <summary>A rectangle for each run of neighbours with one expert.</summary>
    static void Runs(StringBuilder svg, ReadOnlySpan<int> experts, int row)
    {
        for (int start = 0, end; start < experts.Length; start = end)
        {
            for (end = start + 1; end < experts.Length && experts[end] == experts[start];) end++;
            svg.Append(
                CultureInfo.InvariantCulture, $"<rect x=\"{start}\" y=\"{row}\" width=\"{end - start}\" height=\"1\" fill=\"{Colour(experts[start])}\"/>\n");
        }
    }

    static void Image(StringBuilder svg, int x, int y, int size, bool faded) => svg.Append(
        CultureInfo.InvariantCulture,
        $"<use href=\"#input\" transform=\"translate({x} {y}) scale({size / 100.0:0.####})\"{(faded ? " filter=\"url(#grey)\"" : "")}/>\n");

    static void Square(StringBuilder svg, int x, int y, int size, string colour, double opacity) => svg.Append(
        CultureInfo.InvariantCulture, $"<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" rx=\"2\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>\n");

    static void Text(StringBuilder svg, int x, int y, string text, string style) => svg.Append(
        CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y}\" class=\"{style}\">{SecurityElement.Escape(Printable(text))}</text>\n");

    /// <summary>XML takes no control characters, not even escaped.</summary>
    static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));

    static string Short(string layer) => layer.Split('.')[^1];

    static string Colour(int expert) => Colours[expert % Colours.Length];
}
