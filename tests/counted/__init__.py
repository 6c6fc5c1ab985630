"""What a fixed run does, counted: instructions, allocations, bytes and requests, never seconds."""
