"""What `tests/fuzz_records.py` reads: samples, how they are spoilt, blocks, the comparison."""
