"""What runs: the graph, its options, sources, sinks, tables and the command."""
