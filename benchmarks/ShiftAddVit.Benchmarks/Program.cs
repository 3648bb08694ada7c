using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using ShiftAddVit.Benchmarks;

const int widestName = 60;
if (args is ["matmul"]) Console.WriteLine(MatMulComparison.Run());
else
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly)
        .Run(args, DefaultConfig.Instance.WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(widestName)));
