"""Which functions belong to which step of the charts; a step is all of its functions together."""

READ, LINES, PARSE = "read the file", "find lines, check UTF-8", "parse JSON"
ALIKE = "match lines alike"
CHECK, BAD = "check and convert the fields", "lines the parser refused"
KEYS, ROWS = "hash the event keys", "make events and readings"
SEND, TAKE = "shuffle: cut, encode, write", "shuffle: read, put together"
DEDUP, MEASURE, AGGREGATE, PRICE = "Deduplicate", "Measure", "Aggregate", "Price"
LEDGER = "count for the ledger"

BATCH = {
    "pipelines.inputs.pieces:read_blocks": READ,
    "transforms.lines:Lines.of": LINES,
    "transforms.lines:Lines.strange": LINES,
    "transforms.lines:Lines.valid_utf8": LINES,
    "transforms.lines:Lines.buffer": LINES,
    "transforms.skeleton_reader:SkeletonReader.read": ALIKE,
    "transforms.arrow_json:ShapedReader.read": PARSE,
    "transforms.arrow_json:ShapedReader._table": PARSE,
    "transforms.arrow_json:ShapedReader._fits": BAD,
    "transforms.leniency:Leniency.refuse": CHECK,
    "transforms.columnar:ColumnarReader.read": CHECK,
    "transforms.columnar:ColumnarReader._fields": CHECK,
    "transforms.event_keys:key_texts": KEYS,
    "transforms.event_keys:hash_texts": KEYS,
    "transforms.block_reader:BlockReader.__call__": ROWS,
    "transforms.readings:encode_readings": ROWS,
    "transforms.readings:buckets_of": SEND,
    "transforms.arrow_coder:to_bytes": SEND,
    "transforms.spill:Spill.put": SEND,
    "transforms.spill:Spill.get": TAKE,
    "transforms.arrow_coder:from_bytes": TAKE,
    "transforms.readings:together": TAKE,
    "transforms.deduplicate:Deduplicator.__call__": DEDUP,
    "transforms.measure:Measurer.__call__": MEASURE,
    "transforms.partials:CombinePartials.add_input": AGGREGATE,
    "transforms.partials:CombinePartials.merge_accumulators": AGGREGATE,
    "transforms.partials:CombinePartials.extract_output": AGGREGATE,
    "transforms.partials:GatheredCoder.encode": AGGREGATE,
    "transforms.partials:GatheredCoder.decode": AGGREGATE,
    "transforms.partials:merge": AGGREGATE,
    "transforms.price:Pricer.__call__": PRICE,
    "pipelines.parquet_sink:write_parquet": "write {table}",
    "transforms.counts:tally": LEDGER,
    "transforms.counts:ledger_batch": LEDGER,
}
STREAM = {
    "pipelines.tail_reader:TailReader.batch": READ,
    "pipelines.tail_reader:TailReader.look": READ,
    "transforms.block_reader:BlockReader.__call__": "Validate",
    "transforms.deduplicate_live:FirstProcessed.process": DEDUP,
    "transforms.measure:Measurer.__call__": MEASURE,
    "transforms.revise:CutWindows.process": "Cut windows",
    "transforms.revise:CutWindows.finish_bundle": "Cut windows",
    "transforms.revise:Revise.process": "Revise",
    "transforms.price:Pricer.__call__": PRICE,
    "transforms.running_ledger:CountBundle.process": LEDGER,
    "transforms.running_ledger:CountBundle.finish_bundle": LEDGER,
    "transforms.running_ledger:RunningLedger.process": LEDGER,
    "transforms.counts:ledger_batch": LEDGER,
    "transforms.running_ledger:decoded": LEDGER,
    "pipelines.live_folder:LiveFolder.write": "write {table}",
    "pipelines.live_folder:LiveFolder.merge": "merge files",
}
PLACES = {"batch": BATCH, "stream": STREAM}
